import { ValidationError } from '@mikro-orm/core';
import type { AnyCollection } from './entity.ts';
import { relationOf } from './relation.ts';

/** Takes what would be put into a collection: the function puts it there. `undefined` if it is put there at once. */
export type KeeperOf = (collection: AnyCollection) => ((fill: () => void) => void) | undefined;

/**
 * Runs `load` so that it can fill collections anew. MikroORM cannot: it skips what is initialised, and a collection once
 * loaded with a limit is read-only for good, even to its own hydration.
 *
 * @param forced collections to treat as not loaded yet, until they are hydrated
 * @param limited collections that are, or are about to be, loaded with a limit, or whose items are kept aside
 * @param isInside whether the asking code runs for this load: to all others the collections are what they were
 */
export async function refilling<T>(
  forced: readonly AnyCollection[],
  limited: readonly AnyCollection[],
  isInside: () => boolean,
  keeperOf: KeeperOf,
  load: () => Promise<T>,
): Promise<T> {
  for (const collection of forced) {
    const isInitialized = collection.isInitialized.bind(collection);
    override(collection, 'isInitialized', (fully?: boolean) => !isInside() && isInitialized(fully));
  }
  const hooked = new Set([...forced, ...limited]);
  for (const collection of hooked) {
    override(collection, 'hydrate', (items: never, forcePropagate?: boolean, partial?: boolean, readonly?: boolean) => {
      if (!isInside()) {
        // Somebody else fills it in the meantime.
        Object.getPrototypeOf(collection).hydrate.call(collection, items, forcePropagate, partial, readonly);
        return;
      }
      restore(collection);
      const fill = filling(collection, items, forcePropagate, partial, readonly);
      const keep = keeperOf(collection);
      if (keep === undefined) {
        fill();
        return;
      }
      keep(fill);
      // MikroORM goes on with the items that it takes to be there.
      const getItems = collection.getItems.bind(collection);
      override(collection, 'getItems', (check?: boolean) => (isInside() ? [...(items as object[])] : getItems(check)));
    });
  }
  try {
    return await load();
  } finally {
    hooked.forEach(restore);
  }
}

/** A function of its own, so that what a collection or its items keep does not lead to all others of the load. */
function filling(
  collection: AnyCollection,
  items: never,
  forcePropagate: boolean | undefined,
  partial: boolean | undefined,
  readonly: boolean | undefined,
): () => void {
  return () => {
    delete collection[READONLY_GUARD];
    collection.hydrate(items, forcePropagate, partial, false);
    if (readonly) {
      override(collection, READONLY_GUARD, () => {
        throw ValidationError.cannotModifyReadonlyCollection(collection.owner, relationOf(collection));
      });
    }
  };
}

/** Whether a limited load has left the collection read-only. */
export function isReadonly(collection: AnyCollection): boolean {
  return Object.hasOwn(collection, READONLY_GUARD);
}

// The method by which a collection refuses changes. Read-only is told by an own property in its place, as MikroORM's own
// flag is private and is never taken back.
const READONLY_GUARD = 'validateModification' as keyof AnyCollection;

function override(collection: AnyCollection, method: keyof AnyCollection, value: unknown): void {
  Object.defineProperty(collection, method, { value, configurable: true, enumerable: false, writable: true });
}

function restore(collection: Partial<AnyCollection>): void {
  delete collection.isInitialized;
  delete collection.hydrate;
  delete collection.getItems;
}
