import { type EntityMetadata, type EntityProperty, helper, ReferenceKind, Utils } from '@mikro-orm/core';
import { BatchLoaderError } from '../errors.ts';
import type { AnyCollection } from '../seam/entity.ts';
import { metadataOf } from './metadata.ts';
import { propertyOf } from './plan.ts';
import type { RelationFind } from './resolver-options.ts';

/** The relation of that name. @throws {BatchLoaderError} `ARGUMENT` if the entity has none */
export function relationOf(entity: Parameters<typeof metadataOf>[0], name: string): EntityProperty {
  const meta = metadataOf(entity);
  const property = Object.hasOwn(meta.properties, name) ? propertyOf(meta, name) : undefined;
  if (property?.targetMeta === undefined || property.kind === ReferenceKind.EMBEDDED) {
    const names = meta.relations.map(relation => relation.name).join(', ');
    throw new BatchLoaderError(
      'ARGUMENT',
      `The name of a relation of ${meta.className} is needed, but got: '${name}'. Its relations are: ${names}.`,
    );
  }
  return property;
}

/** The collection of an entity, which may have been a mere reference so far. */
export async function collectionOf(owner: object, relation: EntityProperty): Promise<AnyCollection> {
  const collections = owner as Record<string, AnyCollection | undefined>;
  if (collections[relation.name] === undefined) {
    await helper(owner).init();
  }
  return collections[relation.name]!;
}

/**
 * The condition under which entities belong to an owner, with what the relation itself asks for.
 *
 * @returns `undefined` for a relation that can only be followed from its owner: an M:N without an inverse side, or with an
 * order of its own
 */
export async function belongingTo(
  owner: object,
  relation: EntityProperty,
  where: unknown,
): Promise<Record<string, unknown> | undefined> {
  const inverse = inverseOf(relation);
  if (inverse === undefined || relation.fixedOrder) {
    return undefined;
  }
  const key = inverse.targetKey;
  if (key !== undefined && (owner as Record<string, unknown>)[key] === undefined) {
    await helper(owner).init();
  }
  const value = key === undefined ? owner : (owner as Record<string, unknown>)[key];
  const conditions = [where, relation.where].filter(isCondition);
  const belongs = { [inverse.name]: value };
  return conditions.length === 0 ? belongs : { $and: [belongs, ...conditions] };
}

function inverseOf(relation: EntityProperty): EntityProperty | undefined {
  const name = relation.mappedBy ?? relation.inversedBy;
  return name ? propertyOf(relation.targetMeta as EntityMetadata, name) : undefined;
}

/** What a field asks for, without the members that ask for nothing. */
export interface Find {
  readonly where?: unknown;
  readonly orderBy?: unknown;
  readonly limit?: number;
  readonly offset?: number;
}

/**
 * Reads what the application made of a field's arguments. An argument that was left out is `undefined`, there and in the
 * condition's own members, and asks for nothing (MikroORM would take it for null).
 *
 * @throws {BatchLoaderError} `ARGUMENT` for a limit or offset that PostgreSQL would not take; clients may have sent it
 */
export function readFind(resolver: string, find: object | undefined): Find {
  const { where, orderBy, limit, offset } = (find ?? {}) as RelationFind<never>;
  for (const [name, value] of Object.entries({ limit, offset })) {
    if (value != null && !(Number.isInteger(value) && value >= 0)) {
      throw new BatchLoaderError(
        'ARGUMENT',
        `${resolver}({ find }) must give ${name} as a whole number of at least 0, but got: ${String(value)}. Check the arguments of the field.`,
      );
    }
  }
  const condition = Utils.isPlainObject(where) ? withoutUndefined(where) : where;
  return {
    ...(isCondition(condition) ? { where: condition } : {}),
    ...(orderBy == null ? {} : { orderBy }),
    ...(limit == null ? {} : { limit }),
    ...(offset == null ? {} : { offset }),
  };
}

/** Whether a field asks for other than all of the related entities in their usual order. */
export function isNarrowed(find: Find): boolean {
  return Object.keys(find).length > 0;
}

function withoutUndefined(where: object): object {
  // Keys that are symbols are `raw()` fragments.
  const keys = Reflect.ownKeys(where).filter(key => (where as Record<PropertyKey, unknown>)[key] !== undefined);
  return Object.fromEntries(keys.map(key => [key, (where as Record<PropertyKey, unknown>)[key]]));
}

/** A `raw()` key is a symbol, and asks for something. */
function isCondition(where: unknown): boolean {
  return where != null && (typeof where !== 'object' || Reflect.ownKeys(where).length > 0);
}
