import type { EntityManager } from '@mikro-orm/core';

/** State that an ORM's forks carry for the seam; WeakMaps, so that it goes with the forks. */
export class ForkMarks {
  /** Forks whose `clear()` was called: their entities are detached. */
  readonly cleared: WeakSet<EntityManager> = new WeakSet();
  /** Forks made by `disableIdentityMap`: MikroORM clears them itself, and their entities may go on loading. */
  readonly throwaway: WeakSet<EntityManager> = new WeakSet();
  /** The end of the last flush that a batch began. */
  readonly flushes: WeakMap<EntityManager, Promise<void>> = new WeakMap();
}
