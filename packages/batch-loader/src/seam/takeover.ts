import type { EntityManager } from '@mikro-orm/core';
import type { Batching } from './batching.ts';
import type { AnyCollection, Entity, LoadOptions } from './entity.ts';

/** What answers the loads of one segment. */
export interface Loaders {
  reference(entity: Entity, options: LoadOptions): Promise<Entity | null>;
  collection(collection: AnyCollection, options: LoadOptions): Promise<Entity[]>;
  count(collection: AnyCollection, options: LoadOptions): Promise<number>;
}

/** What the loader does in place of MikroORM. `em` is always the fork that the call resolves to. */
export interface Takeover {
  /** What answers `batch(em)`. */
  readonly batching: Batching;
  /** The loaders for calls that are made now. */
  loaders(em: EntityManager): Loaders;
  populate(em: EntityManager, entities: readonly Entity[], hints: unknown, options: LoadOptions): Promise<void>;
  /** Called for an entity of another ORM in a user's own `em.populate([...])`. @throws */
  refuseForeign(entity: Entity): never;
  /** Whether a loaded collection holds something else than this `load()` asks for. */
  holdsOther(collection: AnyCollection, options: LoadOptions): boolean;
  /** Called before filters, their parameters, schema or session of `em` change. */
  stateChanges(em: EntityManager): void;
  /** Called before `em` is cleared. */
  clears(em: EntityManager): void;
  /** Sends what was asked for on `em` until now. */
  send(em: EntityManager): void;
  /** Called before the transaction of `em` begins or ends. */
  settle(em: EntityManager): Promise<void>;
}
