import type { EntityKey, EntityManager, EntityName, EntityProperty } from '@mikro-orm/core';
import type { GraphQLResolveInfo } from 'graphql';
import { batch } from '../batch.ts';
import { BatchLoaderError } from '../errors.ts';
import { Completing } from './completing.ts';
import { isCollection } from './plan.ts';
import { PerSelection, readSelection } from './reading.ts';
import { belongingTo, type Find, readFind, relationOf } from './related.ts';
import {
  managerOf,
  type RelationFind,
  type Resolver,
  type ResolverOptions,
  type TargetOf,
} from './resolver-options.ts';
import { namedType } from './schema-types.ts';
import { selectedFields } from './selection.ts';

/** The arguments of a connection, as the GraphQL Cursor Connections Specification names them. */
export interface ConnectionArgs {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

/** Options of `connection()`; every one may be left out. */
export interface ConnectionOptions<Target, Args, Context> extends ResolverOptions<Context> {
  /** Which of the related entities the field is for, and in which order. Ties are broken by the key. */
  find?: ((args: Args, context: Context) => Pick<RelationFind<Target>, 'where' | 'orderBy'>) | undefined;
  /** The size of a page when the client gives neither `first` nor `last`. @default all */
  defaultSize?: number | undefined;
  /** The largest `first` or `last` that a client may ask for. @default as many as it likes */
  maxSize?: number | undefined;
}

/**
 * A resolver of a to-many relation as a connection: `edges { cursor node }`, `nodes`, `pageInfo` and `totalCount`.
 *
 * ```ts
 * Author: { books: connection(Author, 'books', { find: () => ({ orderBy: { title: 'asc' } }), defaultSize: 20, maxSize: 100 }) }
 * ```
 *
 * The pages of all parents are one statement, whatever their cursors and sizes. `totalCount` is counted only where it is
 * selected, and where nothing else is, no rows are read.
 *
 * Trap: without `defaultSize` a client that gives no size gets every row, and without `maxSize` as many as it asks for.
 *
 * @throws {BatchLoaderError} from the resolver: `CURSOR` for a cursor that is not of this order; `ARGUMENT` for a size that
 * is none or too large, a relation that is not to many or has no inverse side
 */
export function connection<
  Owner extends object,
  Property extends EntityKey<Owner>,
  Args extends ConnectionArgs = ConnectionArgs,
  Context = { em: EntityManager },
>(
  Entity: EntityName<Owner>,
  property: Property,
  options: ConnectionOptions<TargetOf<Owner[Property]>, Args, Context> = {},
): Resolver<Owner, Args, Context> {
  const selections = new PerSelection<Asked>();
  return async (parent, args, context, info) => {
    const em = managerOf(options, context);
    const related = relationOf(Entity, property);
    const asked = selections.get(info, () => readAsked(info, related, options.hints));
    const find = readFind('connection', options.find?.(args, context));
    return await page(em, related, await conditionOf(parent, related, find), args, options, asked, find);
  };
}

/** What a selection asks of a connection. */
interface Asked {
  readonly rows: boolean;
  readonly total: boolean;
  readonly completing: Completing;
}

function readAsked(info: GraphQLResolveInfo, related: EntityProperty, options: ResolverOptions<never>['hints']): Asked {
  const type = namedType(info.returnType);
  const names = new Set(selectedFields(info, info.fieldNodes, type).map(({ node }) => node.name.value));
  const total = names.delete('totalCount');
  names.delete('__typename');
  const wanted = readSelection(info, [related.targetMeta!], { ...options, leaveResolvers: true });
  return { rows: names.size > 0, total, completing: new Completing(wanted) };
}

async function conditionOf(parent: object, related: EntityProperty, find: Find): Promise<object> {
  const belongs = isCollection(related) ? await belongingTo(parent, related, find.where) : undefined;
  if (belongs === undefined) {
    throw new BatchLoaderError(
      'ARGUMENT',
      `connection() needs a to-many relation whose inverse side is an entity's property too, but got: '${related.name}'. Declare the inverse side (mappedBy), or use relation().`,
    );
  }
  return belongs;
}

async function page(
  em: EntityManager,
  related: EntityProperty,
  where: object,
  args: ConnectionArgs,
  { defaultSize, maxSize }: { defaultSize?: number | undefined; maxSize?: number | undefined },
  { rows, total, completing }: Asked,
  find: Find,
): Promise<object> {
  const target = related.targetMeta!;
  const filters = related.filters === undefined ? {} : { filters: related.filters };
  const { after, before, last } = args;
  const first = args.first ?? (last == null ? defaultSize : undefined);
  for (const [name, size] of Object.entries({ first, last })) {
    if (maxSize !== undefined && (size ?? 0) > maxSize) {
      throw new BatchLoaderError(
        'ARGUMENT',
        `${name} must be at most ${maxSize}, but got: ${size}. Ask for less, and go on from the cursor.`,
      );
    }
  }
  if (!rows) {
    return total ? { totalCount: await batch(em).count(target.class, where as never, filters) } : {};
  }
  const found = await batch(em).page(
    target.class,
    where as never,
    {
      orderBy: find.orderBy ?? related.orderBy ?? {},
      first,
      last,
      after,
      before,
      total,
      populate: completing.populate(target),
      ...filters,
    } as never,
  );
  await completing.complete(em, found.items);
  return {
    get edges() {
      return found.edges;
    },
    get pageInfo() {
      return found.pageInfo;
    },
    nodes: found.items,
    totalCount: found.totalCount,
  };
}
