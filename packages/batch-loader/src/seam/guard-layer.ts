import { type EntityManager, type MikroORM, RequestContext, Utils, helper } from '@mikro-orm/core';
import type { Trace } from '../call-site.ts';
import type { Guard, NotedCall } from '../guard.ts';
import type { LoadOptions } from './entity.ts';

/** In the options of a query: the user's call that it is sent for. */
const noted: unique symbol = Symbol('@mikrokit/batch-loader noted');
const traced: unique symbol = Symbol('@mikrokit/batch-loader traced');

/** Where a lazy load was called from, if that was noted. */
export function traceOf(options: object): Trace | undefined {
  return (options as { [traced]?: Trace })[traced];
}

/** The request that the running code is part of, if there is one, else the fork. */
export function scopeOf(em: EntityManager): object {
  return RequestContext.getEntityManager(em.name) ?? em;
}

interface LayeredEntityManager {
  readonly config: EntityManager['config'];
  getContext(validate?: boolean): EntityManager;
  getDataLoader(type: string): Promise<LoaderFacade>;
  populate(entities: unknown, hints: unknown, options?: LoadOptions): Promise<unknown>;
  clear(): void;
}

interface LoaderFacade {
  load(call: [it: unknown, options: LoadOptions]): Promise<unknown>;
}

type Method = (this: LayeredEntityManager, ...args: unknown[]) => unknown;

/** Methods that send a query for their caller, and where in their arguments condition and options are. */
const QUERIES = {
  find: { where: 1, options: 2 },
  findOne: { where: 1, options: 2 },
  findOneOrFail: { where: 1, options: 2 },
  findAndCount: { where: 1, options: 2 },
  count: { where: 1, options: 2 },
  findAll: { where: undefined, options: 1 },
  findByCursor: { where: undefined, options: 1 },
} as const;

/**
 * Lays over the EntityManager what the guard needs to know: which queries are a user's own, and where they come from. To
 * be called after the seam is installed, if there is a guard.
 *
 * A call is noted in its options, under a symbol, and counted when the driver is asked for its rows: what the identity
 * map or a cache answers is no query. Relies, in 7.2, on options reaching `driver.find`, `findOne` and `count` with their
 * symbols, and on MikroORM's own finds within `populate` telling themselves by `convertCustomTypes`.
 *
 * @param isOwn whether the running code is part of a statement of the loader
 */
export function layGuardOver(orm: MikroORM, guard: Guard, isOwn: (em: EntityManager) => boolean): void {
  const { config } = orm;
  const Base = config.get('entityManager') as unknown as new (...args: unknown[]) => LayeredEntityManager;

  const Layered = class extends Base {
    // Called by the load itself, with its caller on the stack.
    override getDataLoader(type: string): Promise<LoaderFacade> {
      const loader = super.getDataLoader(type);
      const trace = guard.trace(scopeOf(this.getContext()));
      return trace === undefined
        ? loader
        : loader.then(facade => ({ load: ([it, options]) => facade.load([it, { ...options, [traced]: trace }]) }));
    }

    override populate(entities: unknown, hints: unknown, options: LoadOptions = {}): Promise<unknown> {
      return super.populate(entities, hints, withTrace(guard, this, entities, options));
    }

    override clear(): void {
      guard.forget(this.getContext(false));
      super.clear();
    }
  };
  const prototype = Layered.prototype as unknown as Record<string, Method>;
  for (const [name, at] of Object.entries(QUERIES)) {
    const method = (Base.prototype as Record<string, Method>)[name]!;
    prototype[name] = function (...args) {
      const options = (args[at.options] ?? {}) as LoadOptions & { [noted]?: NotedCall };
      const where = at.where === undefined ? options['where'] : args[at.where];
      if (options[noted] !== undefined || Object.hasOwn(options, 'convertCustomTypes')) {
        return method.apply(this, args);
      }
      const em = this.getContext(false);
      const given = [...args];
      if (isOwn(em)) {
        return method.apply(this, args);
      }
      if (name === 'findOne' && options['refresh'] === true && Utils.isEntity<object>(where) && helper(where).__em) {
        // wrap(e).init(), a lazy load
        given[at.options] = withTrace(guard, this, where, options);
        return method.apply(this, given);
      }
      const scope = scopeOf(em);
      const call: NotedCall = {
        scope,
        method: name,
        entity: Utils.className(args[0] as never),
        where: at.where === undefined ? undefined : where,
        options,
        trace: guard.trace(scope),
        sent: false,
      };
      given[at.options] = { ...options, [noted]: call };
      return method.apply(this, given);
    };
  }
  config.set('entityManager', Layered as never);
  countWhatIsSent(orm, guard);
}

function withTrace(guard: Guard, em: LayeredEntityManager, entities: unknown, options: LoadOptions): LoadOptions {
  const trace = Array.isArray(entities) ? undefined : guard.trace(scopeOf(em.getContext(false)));
  return trace === undefined ? options : ({ ...options, [traced]: trace } as LoadOptions);
}

function countWhatIsSent(orm: MikroORM, guard: Guard): void {
  const driver = orm.driver as unknown as Record<
    'find' | 'findOne' | 'count',
    (entityName: unknown, where: unknown, options?: { [noted]?: NotedCall }) => Promise<unknown>
  >;
  for (const name of ['find', 'findOne', 'count'] as const) {
    const method = driver[name].bind(driver);
    driver[name] = async (entityName, where, options) => {
      const call = options?.[noted];
      if (call !== undefined) {
        guard.sends(call);
      }
      return method(entityName, where, options);
    };
  }
}
