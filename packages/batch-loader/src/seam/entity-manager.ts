import type { EntityManager, MikroORM } from '@mikro-orm/core';

/** The class of an ORM's EntityManager and of its forks. */
export type EntityManagerClass = new (...args: unknown[]) => EntityManager;

/**
 * The EntityManager class that the driver would take without an `entityManager` in the config. The driver names it only
 * as the fallback of that look-up, so it is asked with a config that shows the fallback.
 */
export function defaultEntityManager(driver: MikroORM['driver']): unknown {
  let fallback: unknown;
  const config = {
    get(_name: string, value: unknown): unknown {
      fallback = value;
      return class {};
    },
  };
  (driver.createEntityManager as (this: unknown, useContext: boolean) => unknown).call({ config }, false);
  return fallback;
}
