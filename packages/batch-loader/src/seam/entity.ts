import { type Collection, type EntityManager, type EntityMetadata, Reference, Utils, helper } from '@mikro-orm/core';

/** Options of a load as they reach the seam: MikroORM's own types differ by call, their union is this. */
export type LoadOptions = Record<string, unknown>;

/** A managed entity, of whatever class. */
export type Entity = object;

/** A collection, of whatever owner and items. */
export type AnyCollection = Collection<object, object>;

/** The fork whose identity map holds the entity, if it is managed. */
export function managerOf(entity: Entity): EntityManager | undefined {
  return helper(entity).__em;
}

/** Metadata of the entity's own class (of a subclass, that of the subclass). */
export function metadataOf(entity: Entity): EntityMetadata {
  return helper(entity).__meta as EntityMetadata;
}

/** PostgreSQL schema of the entity, if it is not the default one. */
export function schemaOf(entity: Entity): string | undefined {
  return helper(entity).__schema;
}

/** Whether the entity has a primary key. One referenced by another unique key (`targetKey`) may have none until it is loaded. */
export function hasPrimaryKey(entity: Entity): boolean {
  return helper(entity).hasPrimaryKey();
}

/** The key by which the identity map knows the entity. */
export function serializedKey(entity: Entity): string {
  return helper(entity).getSerializedPrimaryKey();
}

/** The key of an entity or reference, if it is a single plain one: what a condition on the entity compares with. */
export function simpleKeyOf(value: object): string | number | bigint | undefined {
  const entity: unknown = Reference.unwrapReference(value);
  if (!Utils.isEntity<Entity>(entity, true)) {
    return undefined;
  }
  const wrapped = helper(entity);
  if (wrapped.__meta.compositePK || !wrapped.hasPrimaryKey()) {
    return undefined;
  }
  const key: unknown = wrapped.getPrimaryKey();
  return typeof key === 'string' || typeof key === 'bigint' || (typeof key === 'number' && Number.isInteger(key))
    ? key
    : undefined;
}

export function isEntity(value: unknown): boolean {
  return Utils.isEntity<Entity>(value);
}
