import type { EntityName, QueryOrderMap } from '@mikro-orm/core';
import type { GraphQLResolveInfo } from 'graphql';
import { metadataOf } from './metadata.ts';
import { planOf } from './plan.ts';
import { readSelection } from './reading.ts';

/** Options of `hints()`; every one may be left out. */
export interface HintsOptions {
  /** The order that the entities are found in: its columns are read as well, since cursors are made of them. */
  orderBy?: QueryOrderMap<never> | readonly QueryOrderMap<never>[] | object | undefined;
  /**
   * The fields that lead from the resolved field to its entities, such as `'author'` in `createAuthor { author { … } }`.
   * Connections (`edges { node }`, `nodes`) are seen through without it.
   */
  path?: string | undefined;
  /**
   * Columns that the resolver of a field reads: GraphQL type → field → paths of properties, as in
   * `{ Author: { fullName: ['first', 'last'], employer: ['company.name'] } }`. A relation alone is its foreign key, with
   * `.*` every column of what it leads to. An empty list says that the resolver reads none.
   */
  dependencies?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> | undefined;
  /** GraphQL type → field → property, where the names differ: `{ Author: { fullName: 'name' } }`. */
  properties?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;
  /** GraphQL type → entity, where the type is not called as the class: `{ Writer: Author }`. */
  types?: Readonly<Record<string, EntityName>> | undefined;
  /**
   * Whether relations whose field takes arguments are populated, whole, all the same. Otherwise they are left to their
   * resolvers, which know what the arguments mean.
   *
   * @default false
   */
  populateWithArguments?: boolean | undefined;
}

/** Options for `em.find()`, `findOne()` and so on. */
export interface Hints {
  populate: never[];
  /** Missing where every column is needed. */
  fields?: never[];
}

/**
 * What `em.find()` has to read for the selection of a GraphQL field: relations to `populate` and columns (`fields`), from
 * fragments, aliases, `@skip` and `@include`, interfaces and unions.
 *
 * ```ts
 * authors: (_, args, { em }, info) => em.find(Author, {}, hints(info, Author)),
 * ```
 *
 * Primary keys, foreign keys that are needed and the columns of `orderBy` are always among them. A to-one relation of
 * which only the key is selected is not populated: the foreign key has it.
 *
 * A field that is no property of the entity is computed from columns that only its resolver knows. Name them in
 * `dependencies`; without, every column of that entity is read, which is correct and more than is needed. The same goes
 * for entities of a table-per-type hierarchy and those with a populated polymorphic reference: MikroORM cannot read a part
 * of them.
 *
 * Trap: a field called as a property is taken to read that property and no other. If its resolver reads more, say so in
 * `dependencies`, or it finds `undefined`.
 *
 * Trap: entities read in part are managed; what they lack is loaded when somebody finds them again with more fields.
 *
 * @param Entity the class or schema that the resolver is going to find
 * @throws {TypeError} for an entity that no ORM has discovered, or a path in `dependencies` or `orderBy` that leads nowhere
 */
export function hints(info: GraphQLResolveInfo, Entity: EntityName, options: HintsOptions = {}): Hints {
  const meta = metadataOf(Entity);
  const wanted = readSelection(info, [meta], { ...options, leaveResolvers: false });
  const { populate, fields } = planOf(meta, wanted);
  return fields === undefined
    ? { populate: populate as never[] }
    : { populate: populate as never[], fields: fields as never[] };
}
