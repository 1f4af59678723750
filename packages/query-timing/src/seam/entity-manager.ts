import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { QueryTimingError } from '../errors.ts';
import type { Recorder } from '../recorder.ts';

type Method = (this: EntityManager, ...args: unknown[]) => unknown;
type EntityManagerClass = new (...args: never[]) => EntityManager;

/** Calls that make entities of the rows they read. */
const HYDRATING = ['find', 'findOne'] as const;
/** The other calls that a query is named after. */
const OTHERS = [
  'count',
  'countBy',
  'findAndCount',
  'findByCursor',
  'insert',
  'insertMany',
  'upsert',
  'upsertMany',
  'nativeUpdate',
  'nativeDelete',
  'lock',
  'refresh',
  'flush',
  'begin',
  'commit',
  'rollback',
  'transactional',
] as const;
/** Their first argument is no entity. */
const WITHOUT_ENTITY: ReadonlySet<string> = new Set(['flush', 'begin', 'commit', 'rollback', 'transactional']);

/**
 * The EntityManager with each call known to the recorder while it runs.
 *
 * Relies on `find` and `findOne` being what everything that makes entities goes through (populate, lazy loads and the
 * `…OrFail` forms included).
 */
export function timedEntityManager(Base: EntityManagerClass, recorder: Recorder): EntityManagerClass {
  const Timed = class extends (Base as new (...args: unknown[]) => EntityManager) {} as unknown as EntityManagerClass;
  const prototype = Timed.prototype as unknown as Record<string, Method>;
  const override = (name: string, timed: (inner: Method) => Method): void => {
    const inner = prototype[name];
    if (typeof inner === 'function') {
      Object.defineProperty(prototype, name, { value: timed(inner), writable: true, configurable: true });
    }
  };
  for (const name of HYDRATING) {
    if (typeof prototype[name] !== 'function') {
      throw new QueryTimingError(
        'UNSUPPORTED',
        `queryTiming() needs EntityManager.${name}(), which this MikroORM has not.`,
      );
    }
  }
  for (const name of [...HYDRATING, ...OTHERS]) {
    const hasEntity = !WITHOUT_ENTITY.has(name);
    override(
      name,
      inner =>
        function (this: EntityManager, ...args) {
          const entity = hasEntity ? entityName(args[0]) : undefined;
          return recorder.operation(name, entity, this.id, () => inner.apply(this, args) as Promise<unknown>);
        },
    );
  }
  override(
    'stream',
    inner =>
      function (this: EntityManager, ...args) {
        const call = (): AsyncIterable<unknown> => inner.apply(this, args) as AsyncIterable<unknown>;
        return recorder.streaming('stream', entityName(args[0]), this.id, call);
      },
  );
  return Timed;
}

/** Class, schema, name or entity: whatever the calls take. */
function entityName(entity: unknown): string | undefined {
  if (typeof entity === 'function') {
    return entity.name;
  }
  if (typeof entity === 'string') {
    return entity;
  }
  if (typeof entity !== 'object' || entity === null) {
    return undefined;
  }
  const { meta } = entity as { meta?: { className?: string } };
  return meta?.className ?? (entity.constructor === Object ? undefined : entity.constructor?.name);
}

/** The class that the driver makes EntityManagers of, where the config names none. None is made for it: there is no metadata yet. */
export function defaultEntityManager(orm: MikroORM): EntityManagerClass {
  let fallback: unknown;
  const config = {
    get(_name: string, value: unknown): unknown {
      fallback = value;
      return class {};
    },
  };
  (orm.driver.createEntityManager as (this: unknown, useContext: boolean) => unknown).call({ config }, false);
  return fallback as EntityManagerClass;
}
