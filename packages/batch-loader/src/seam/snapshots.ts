import { type EntityManager, helper } from '@mikro-orm/core';

/**
 * Keeps loads from making entities look changed. MikroORM's refresh replaces an entity's whole snapshot by the row just
 * read: what that row did not hold (other columns of a partial load, lazy properties) would be written back by the next
 * flush. And it registers the rows of an M:N twice, which converts their arrays twice. Called once per fork.
 */
export function guardSnapshots(em: EntityManager, isRunningFor: (em: EntityManager) => boolean): void {
  const uow = em.getUnitOfWork(false);
  const register = uow.register.bind(uow);
  uow.register = (entity, data, options) => {
    const wrapped = helper(entity);
    const before = wrapped.__originalEntityData as Record<string, unknown> | undefined;
    if (!options?.refresh || before === undefined || !isRunningFor(em)) {
      return register(entity, data, options);
    }
    if (before === data) {
      return register(entity, undefined, options);
    }
    register(entity, data, options);
    const after = wrapped.__originalEntityData as Record<string, unknown>;
    for (const name in before) {
      if (!(name in after)) {
        after[name] = before[name];
      }
    }
    return entity;
  };
}
