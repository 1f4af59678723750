import type { EntityManager } from '@mikro-orm/core';
import type { Entity, LoadOptions } from './entity.ts';

/** Where an EntityManager with the extension carries them. */
export const lone: unique symbol = Symbol('@mikrokit/batch-loader lone');

/** MikroORM's own methods, which the takeover runs its statements with. */
export interface Lone {
  find(entityName: unknown, where: unknown, options: LoadOptions): Promise<Entity[]>;
  findOne(entityName: unknown, where: unknown, options: LoadOptions): Promise<Entity | null>;
  count(entityName: unknown, where: unknown, options: LoadOptions): Promise<number>;
  populate(entities: readonly Entity[], hints: unknown, options: LoadOptions): Promise<unknown>;
  /** The entity that `em.findOne()` would return without asking the database. */
  known(entityName: unknown, where: unknown, options: LoadOptions): Entity | undefined;
}

/** MikroORM's own methods of a fork. */
export function loneOf(em: EntityManager): Lone {
  return (em as unknown as { [lone]: Lone })[lone];
}
