import type { EntityManager } from '@mikro-orm/postgresql';

/** What a resolver knows of its request. */
export interface Context {
  /** A fork of this request's own: its entities, and its batches, are shared with no other request. */
  em: EntityManager;
}
