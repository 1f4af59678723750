import type { EntityManager, EntityName } from '@mikro-orm/core';
import type { GraphQLResolveInfo } from 'graphql';
import { batch } from '../batch.ts';
import { Completing } from './completing.ts';
import { metadataOf } from './metadata.ts';
import { PerSelection, readSelection } from './reading.ts';
import { conditionOf } from './representation.ts';
import { managerOf, type ResolverOptions } from './resolver-options.ts';

/** Resolves one representation of `_entities`. */
export type ReferenceResolver<Context> = (
  representation: object,
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<object | null>;

/**
 * `__resolveReference` of a federated type, for Apollo and whatever speaks its protocol.
 *
 * ```ts
 * const resolvers = { Author: { __resolveReference: resolveReference(Author) } };
 * ```
 *
 * The representations of one type and key are one statement, each entity is in the place of its representation, and `null`
 * where there is none. Keys are the primary key and the unique keys of the entity, composite ones and those with foreign
 * keys (`@key(fields: "book { id } number")`) too.
 *
 * A representation comes from outside: only plain values of a key's properties are taken from it. `{ id: { $gt: 0 } }` is
 * an error and never a query.
 *
 * @throws {BatchLoaderError} `ARGUMENT`, from the resolver, for a representation without a key or with a value that is none
 */
export function resolveReference<Entity extends object, Context = { em: EntityManager }>(
  Entity: EntityName<Entity>,
  options: ResolverOptions<Context> = {},
): ReferenceResolver<Context> {
  const selections = new PerSelection<Completing>();
  return async (representation, context, info) => {
    const em = managerOf(options, context);
    const meta = metadataOf(Entity);
    const type = (representation as { __typename?: string } | null)?.__typename ?? meta.className;
    const properties = options.hints?.properties;
    const names = properties && Object.hasOwn(properties, type) ? properties[type] : undefined;
    const where = conditionOf(meta, representation, names);
    const completing = selections.get(
      info,
      () => new Completing(readSelection(info, [meta], { ...options.hints, leaveResolvers: true })),
    );
    const found = await batch(em).findOne(meta.class, where as never, { populate: completing.populate(meta) as never });
    if (found !== null) {
      await completing.complete(em, [found]);
    }
    return found;
  };
}
