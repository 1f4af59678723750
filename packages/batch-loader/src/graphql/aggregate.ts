import type { EntityKey, EntityManager, EntityName } from '@mikro-orm/core';
import { batch } from '../batch.ts';
import { BatchLoaderError } from '../errors.ts';
import { isCollection } from './plan.ts';
import { belongingTo, collectionOf, readFind, relationOf } from './related.ts';
import {
  managerOf,
  type RelationFind,
  type Resolver,
  type ResolverOptions,
  type TargetOf,
} from './resolver-options.ts';

const FUNCTIONS = ['sum', 'avg', 'min', 'max'] as const;

/** What `aggregate()` makes of the related entities. */
export type Aggregate<Target> =
  | 'count'
  | 'exists'
  | { readonly [Name in (typeof FUNCTIONS)[number]]?: EntityKey<Target> };

/** Options of `aggregate()`; every one may be left out. */
export interface AggregateOptions<Target, Args, Context> extends ResolverOptions<Context> {
  /** Which of the related entities are taken. @default all */
  find?: ((args: Args, context: Context) => Pick<RelationFind<Target>, 'where'>) | undefined;
}

/**
 * A resolver of a number about a to-many relation, which reads no entities.
 *
 * ```ts
 * Author: {
 *   bookCount: aggregate(Author, 'books', 'count'),
 *   pagesOf: aggregate(Author, 'books', { sum: 'pages' }, { find: ({ genre }) => ({ where: { genre } }) }),
 * }
 * ```
 *
 * The parents of one wave are one statement. It is asked anew each time, so that a mutation sees what the last one wrote.
 * Sum, mean, least and greatest of no rows are `null`. A `decimal` sum is a string, with every digit.
 *
 * @throws {TypeError} at once, for a function that there is not
 * @throws {BatchLoaderError} `ARGUMENT`, from the resolver, for a relation that is not to many, or (but for a plain count)
 * has no inverse side, or a property that is no column
 */
export function aggregate<
  Owner extends object,
  Property extends EntityKey<Owner>,
  Args = Record<string, never>,
  Context = { em: EntityManager },
>(
  Entity: EntityName<Owner>,
  property: Property,
  what: Aggregate<TargetOf<Owner[Property]>>,
  options: AggregateOptions<TargetOf<Owner[Property]>, Args, Context> = {},
): Resolver<Owner, Args, Context> {
  const { name, column } = functionOf(what);
  return async (parent, args, context) => {
    const em = managerOf(options, context);
    const related = relationOf(Entity, property);
    const { where } = readFind('aggregate', options.find?.(args, context));
    const belongs = isCollection(related) ? await belongingTo(parent, related, where) : undefined;
    if (belongs === undefined) {
      if (isCollection(related) && name === 'count') {
        const collection = await collectionOf(parent, related);
        return await collection.loadCount({ refresh: true, ...(where === undefined ? {} : { where }) } as never);
      }
      throw new BatchLoaderError(
        'ARGUMENT',
        `aggregate() needs a to-many relation whose inverse side is an entity's property too, but got: '${property}'. Declare the inverse side (mappedBy).`,
      );
    }
    const target = related.targetMeta!.class;
    const filters = related.filters === undefined ? {} : { filters: related.filters };
    return name === 'count' || name === 'exists'
      ? await batch(em)[name](target, belongs as never, filters)
      : await batch(em)[name](target, column as never, belongs as never, filters);
  };
}

function functionOf(what: unknown): {
  name: 'count' | 'exists' | (typeof FUNCTIONS)[number];
  column?: string;
} {
  if (what === 'count' || what === 'exists') {
    return { name: what };
  }
  const [[name, column] = [], ...others] = Object.entries(what ?? {}) as [(typeof FUNCTIONS)[number], string][];
  if (name === undefined || !FUNCTIONS.includes(name) || typeof column !== 'string' || others.length > 0) {
    throw new TypeError(
      `aggregate() makes 'count', 'exists', or one of { ${FUNCTIONS.join(' | ')}: property }, but got: ${JSON.stringify(what)}.`,
    );
  }
  return { name, column };
}
