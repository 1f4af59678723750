import {
  type EntityKey,
  type EntityManager,
  type EntityMetadata,
  type EntityName,
  type EntityProperty,
  helper,
  wrap,
} from '@mikro-orm/core';
import type { GraphQLResolveInfo } from 'graphql';
import { batch } from '../batch.ts';
import { Completing, entityOf } from './completing.ts';
import { isCollection, isInKey } from './plan.ts';
import { PerSelection, readSelection } from './reading.ts';
import { belongingTo, collectionOf, type Find, isNarrowed, readFind, relationOf } from './related.ts';
import {
  managerOf,
  type RelationFind,
  type Resolver,
  type ResolverOptions,
  type TargetOf,
} from './resolver-options.ts';
import type { Wanted } from './wanted.ts';

/** Options of `relation()`; every one may be left out. */
export interface RelationOptions<Target, Args, Context> extends ResolverOptions<Context> {
  /** Which of the related entities the field is for. Without, or if it asks for nothing, all of them. */
  find?: ((args: Args, context: Context) => RelationFind<Target>) | undefined;
}

/**
 * A resolver of a relation, to one or to many.
 *
 * ```ts
 * const resolvers = {
 *   Book: { author: relation(Book, 'author') },
 *   Author: {
 *     books: relation(Author, 'books', { find: ({ genre }) => ({ where: { genre }, orderBy: { title: 'asc' } }) }),
 *   },
 * };
 * ```
 *
 * What is loaded already is used; a reference of which only the key is selected is not loaded; everything else is read
 * in a batch with the other parents', with every column that is not lazy, so that fields with different selections share
 * statement and entities. Lazy columns are read where they are selected, and relations below where they have no resolver
 * of their own.
 *
 * With `find`, the field has a list of its own: the parent's collection is neither used nor changed.
 *
 * @throws {BatchLoaderError} `ARGUMENT`, from the resolver: no such relation, no `context.em`, a `limit` that is none
 */
export function relation<
  Owner extends object,
  Property extends EntityKey<Owner>,
  Args = Record<string, never>,
  Context = { em: EntityManager },
>(
  Entity: EntityName<Owner>,
  property: Property,
  options: RelationOptions<TargetOf<Owner[Property]>, Args, Context> = {},
): Resolver<Owner, Args, Context> {
  const selections = new PerSelection<{ wanted: Wanted; completing: Completing }>();
  return async (parent, args, context, info) => {
    const em = managerOf(options, context);
    const related = relationOf(Entity, property);
    const { wanted, completing } = selections.get(info, () => readRelated(info, related, options.hints));
    const find = readFind('relation', options.find?.(args, context));
    return isCollection(related)
      ? await toMany(em, parent, related, find, completing)
      : await toOne(em, parent, related, find, wanted, completing);
  };
}

function readRelated(
  info: GraphQLResolveInfo,
  related: EntityProperty,
  options: ResolverOptions<never>['hints'],
): { wanted: Wanted; completing: Completing } {
  const metas = related.polymorphTargets ?? [related.targetMeta!];
  const wanted = readSelection(info, metas, { ...options, leaveResolvers: true });
  return { wanted, completing: new Completing(wanted) };
}

async function toMany(
  em: EntityManager,
  parent: object,
  related: EntityProperty,
  find: Find,
  completing: Completing,
): Promise<unknown> {
  const populate = populating(completing, related.targetMeta!);
  let items: readonly object[];
  if (isNarrowed(find)) {
    const { where, ...rest } = find;
    const belongs = await belongingTo(parent, related, where);
    items =
      belongs === undefined
        ? await (await collectionOf(parent, related)).loadItems({ ...find, ...populate } as never)
        : await batch(em).find(related.targetMeta!.class, belongs, {
            ...(related.orderBy ? { orderBy: related.orderBy } : {}),
            ...rest,
            ...populate,
            ...(related.filters === undefined ? {} : { filters: related.filters }),
          } as never);
  } else {
    const collection = await collectionOf(parent, related);
    items = await collection.loadItems(populate);
  }
  await completing.complete(em, items);
  return items;
}

async function toOne(
  em: EntityManager,
  parent: object,
  related: EntityProperty,
  find: Find,
  wanted: Wanted,
  completing: Completing,
): Promise<unknown> {
  const values = parent as Record<string, unknown>;
  if (values[related.name] === undefined) {
    // Found without its foreign key, or a reference itself.
    await (wrap(parent).isInitialized()
      ? wrap(parent).populate([`${related.name}:ref`] as never)
      : wrap(parent).init());
  }
  const entity = entityOf(values[related.name]);
  if (entity == null) {
    return null;
  }
  const meta = helper(entity).__meta;
  if (!isNarrowed(find) && isInKey(related, wanted)) {
    return entity;
  }
  let found: object | null = entity;
  if (isNarrowed(find) || !hasKey(entity)) {
    // A reference by a unique column has no key to load it by.
    const conditions = [keyOf(entity, related), ...(find.where === undefined ? [] : [find.where])];
    found = await batch(em).findOne(meta.class, { $and: conditions } as never, populating(completing, meta));
  } else if (!wrap(entity).isInitialized()) {
    found = await wrap(entity).init(populating(completing, meta));
  }
  if (found !== null) {
    await completing.complete(em, [found]);
  }
  return found;
}

/** The option `populate`, if there is anything: for an empty one `collection.load()` would load nothing at all. */
function populating(completing: Completing, meta: EntityMetadata): { populate?: never[] } {
  const populate = completing.populate(meta) as never[];
  return populate.length === 0 ? {} : { populate };
}

const hasKey = (entity: object): boolean => helper(entity).hasPrimaryKey();

/** What a reference knows of its entity, as a condition. */
function keyOf(entity: object, { targetKey }: EntityProperty): object {
  const names = hasKey(entity) ? helper(entity).__meta.primaryKeys : [targetKey!];
  return Object.fromEntries(names.map(name => [name, (entity as Record<string, unknown>)[name]]));
}
