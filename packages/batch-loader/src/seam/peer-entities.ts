import {
  Collection,
  type EntityManager,
  ReferenceKind,
  Reference,
  ScalarReference,
  Utils,
  helper,
} from '@mikro-orm/core';
import type { Relations } from '../peer-groups.ts';
import { type AnyCollection, type Entity, metadataOf } from './entity.ts';

/** Relations of entities, for {@link PeerGroups}. */
export const relations: Relations = {
  kindOf: entity => metadataOf(entity).root,
  *unloadedTargets(entity) {
    for (const relation of metadataOf(entity).relations) {
      if (
        (relation.kind !== ReferenceKind.MANY_TO_ONE && relation.kind !== ReferenceKind.ONE_TO_ONE) ||
        relation.mapToPk
      ) {
        continue;
      }
      const target = Reference.unwrapReference((entity as Record<string, unknown>)[relation.name] as Entity);
      // By a unique column (`targetKey`) each is a statement of its own.
      if (Utils.isEntity<Entity>(target) && !isLoaded(target) && helper(target).hasPrimaryKey()) {
        yield [relation.name, target];
      }
    }
  },
};

/** Whether the entity's row was read. */
export function isLoaded(entity: Entity): boolean {
  return helper(entity).__initialized;
}

/** Whether both belong to one fork. */
export function haveOneManager(a: Entity, b: Entity): boolean {
  return helper(a).__em === helper(b).__em;
}

/** Whether the entity is to be removed by the next flush. */
export function isRemoved(entity: Entity): boolean {
  return helper(entity).__em?.getUnitOfWork(false).getRemoveStack().has(entity) ?? true;
}

/** Whether reading the entity anew would overwrite something that is not written yet. */
export function hasChanges(em: EntityManager, entity: Entity): boolean {
  const comparator = em.getComparator();
  const { __meta: meta, __originalEntityData: original } = helper(entity);
  const now = comparator.prepareEntity(entity);
  return Object.keys(comparator.diffEntities(meta.class as never, (original ?? {}) as never, now as never)).length > 0;
}

/**
 * Whether MikroORM does not know the entity again in a row that refers to it: by a Date it makes another instance, and
 * reading an item anew takes it out of the collection of the first.
 */
export function hasDateKey(entity: Entity): boolean {
  return metadataOf(entity)
    .getPrimaryProps()
    .some(property => property.runtimeType === 'Date');
}

/** Whether loading an entity of this class reads other entities anew, which may have changes. */
export function loadsOthers(entity: Entity): boolean {
  return metadataOf(entity).relations.some(relation => relation.eager);
}

/** A collection of this name that nothing is known of yet. */
export function unloadedCollection(owner: Entity, name: string): AnyCollection | undefined {
  const collection = collectionOf(owner, name);
  return collection?.isInitialized() || collection?.isDirty() ? undefined : collection;
}

export function collectionOf(owner: Entity, name: string): AnyCollection | undefined {
  const collection = (owner as Record<string, unknown>)[name];
  return Collection.isCollection(collection) ? (collection as unknown as AnyCollection) : undefined;
}

/** Whether the entity lacks the value of a lazy scalar property. */
export function lacksLazy(entity: Entity, name: string): boolean {
  const property = metadataOf(entity).properties[name as never] as { kind: string; lazy?: boolean; ref?: boolean };
  if (property?.kind !== ReferenceKind.SCALAR || !property.lazy || !isLoaded(entity)) {
    return false;
  }
  const value = (entity as Record<string, unknown>)[name];
  return property.ref ? !(value as { isInitialized(): boolean } | undefined)?.isInitialized() : value === undefined;
}

/** The value of a lazy scalar property that was read. */
export function lazyValue(entity: Entity, name: string): unknown {
  const value = (entity as Record<string, unknown>)[name];
  return ScalarReference.isScalarReference(value) ? value.unwrap() : value;
}

/** Whether a query of these entities would write pending changes first. */
export function wouldFlush(em: EntityManager, target: unknown): boolean {
  return em.config.get('flushMode') === 'always' || em.getUnitOfWork(false).shouldAutoFlush(target as never);
}
