import { type EntityManager, type MikroORM, helper } from '@mikro-orm/core';
import { type Asked, asking, tellWhatIsAsked } from './asking.ts';
import type { Entity, LoadOptions } from './entity.ts';

/** What the peers have to be told of. */
export interface PeerHooks extends Pick<Asked, 'isUnfitReference' | 'isOldProperty' | 'readAgain'> {
  /** These came out of one result. */
  joined(entities: readonly Entity[]): void;
  /** Something was written past the unit of work on this fork, or is about to be; or it sees other data from now on. */
  changed(em: EntityManager): void;
  /** The unit of work of this fork was flushed, or is about to be. */
  flushed(em: EntityManager): void;
  /** What this fork writes from now on is not seen. */
  untraceable(em: EntityManager): void;
}

/** Methods after which a query may return something else than before. */
const CHANGES = [
  'insert',
  'insertMany',
  'upsert',
  'upsertMany',
  'nativeUpdate',
  'nativeDelete',
  'clone',
  'execute',
  'callRoutine',
  'lock',
  'begin',
  'commit',
  'rollback',
  'transactional',
] as const;

type EntityManagerClass = new (...args: unknown[]) => EntityManager;
type Method = (this: LayeredEntityManager, ...args: unknown[]) => unknown;

interface LayeredEntityManager {
  getContext(validate?: boolean): EntityManager;
  getUnitOfWork(useContext?: boolean): UnitOfWork;
  find(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity[]>;
  flush(): Promise<void>;
  setFlushMode(mode?: string): void;
  createQueryBuilder(...args: unknown[]): QueryBuilder;
  getKysely(...args: unknown[]): unknown;
  getConnection(...args: unknown[]): unknown;
  withSessionContext(...args: unknown[]): Promise<unknown>;
}

interface UnitOfWork {
  register(entity: Entity, data?: object, options?: { loaded?: boolean }): Entity;
}

interface QueryBuilder {
  readonly type: string;
  execute(...args: unknown[]): Promise<unknown>;
}

/**
 * Lays over the EntityManager what peers need to know: what came out of one result, and what may have changed since. To
 * be called after the seam is installed, if there are to be peers.
 *
 * Relies, in 7.2, on `UnitOfWork.register(entity, data, { loaded: true })` for every entity that is hydrated, in one
 * synchronous run per result; and on a result's other entities, known before, coming from `em.find()`.
 *
 * @returns closes the run of a fork that is under way, for who wants to know its peers now
 */
export function layPeersOver(orm: MikroORM, hooks: PeerHooks): (em: EntityManager) => void {
  const { config } = orm;
  const Base = config.get('entityManager') as unknown as new (...args: unknown[]) => LayeredEntityManager;
  const closers = new WeakMap<object, () => void>();
  /** Forks in the middle of something of MikroORM's own, for which they take their connection. */
  const busy = new WeakMap<EntityManager, number>();
  const whileBusy = <T>(em: EntityManager, run: () => T): T => {
    busy.set(em, (busy.get(em) ?? 0) + 1);
    const over = (): void => void busy.set(em, busy.get(em)! - 1);
    return finallyDo(run, over);
  };

  const Layered = class extends Base {
    readonly [asking]: Asked = hooks;

    constructor(...args: unknown[]) {
      super(...args);
      closers.set(this, followHydration(this.getUnitOfWork(false), hooks.joined));
    }

    override async find(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity[]> {
      const entities = await super.find(entityName, where, options);
      // A view without a key has no managed entities.
      hooks.joined(entities.filter(entity => helper(entity)?.__em !== undefined));
      return entities;
    }

    override flush(): Promise<void> {
      const em = this.getContext();
      hooks.flushed(em);
      return finallyDo(
        () => whileBusy(em, () => super.flush()),
        () => hooks.flushed(em),
      );
    }

    override setFlushMode(mode?: string): void {
      super.setFlushMode(mode);
      if (mode === 'always') {
        // Every query is after a flush.
        hooks.untraceable(this.getContext(false));
      }
    }

    override createQueryBuilder(...args: unknown[]): QueryBuilder {
      const qb = super.createQueryBuilder(...args);
      const em = this.getContext(false);
      const execute = qb.execute.bind(qb);
      qb.execute = (...given) => {
        if (qb.type === 'SELECT') {
          return execute(...given);
        }
        hooks.changed(em);
        return finallyDo(
          () => execute(...given),
          () => hooks.changed(em),
        );
      };
      return qb;
    }

    override getKysely(...args: unknown[]): unknown {
      hooks.untraceable(this.getContext(false));
      return super.getKysely(...args);
    }

    override getConnection(...args: unknown[]): unknown {
      const em = this.getContext(false);
      if (!busy.get(em)) {
        hooks.changed(em);
      }
      return super.getConnection(...args);
    }

    override withSessionContext(...args: unknown[]): Promise<unknown> {
      let connected: Promise<unknown> | undefined;
      // It takes the connection at once; what it runs then may be anything.
      whileBusy(this.getContext(false), () => {
        connected = super.withSessionContext(...args);
      });
      return connected!;
    }
  };
  const prototype = Layered.prototype as unknown as Record<string, Method>;
  for (const name of CHANGES) {
    const method = (Base.prototype as Record<string, Method>)[name];
    if (method !== undefined) {
      prototype[name] = function (...args) {
        const em = this.getContext(false);
        hooks.changed(em);
        return finallyDo(
          () => method.apply(this, args),
          () => hooks.changed(em),
        );
      };
    }
  }
  config.set('entityManager', Layered as unknown as EntityManagerClass as never);
  tellWhatIsAsked();
  return em => closers.get(em)?.();
}

/** Groups the entities that a fork hydrates in one synchronous run: the rows of one result, with what was joined to them. */
function followHydration(uow: UnitOfWork, joined: (entities: readonly Entity[]) => void): () => void {
  const register = uow.register.bind(uow);
  let run: Set<Entity> | undefined;
  const close = (): void => {
    const entities = run;
    run = undefined;
    if (entities !== undefined) {
      joined([...entities]);
    }
  };
  uow.register = (entity, data, options) => {
    const registered = register(entity, data, options);
    if (data !== undefined && options?.loaded && helper(entity).__initialized) {
      if (run === undefined) {
        run = new Set();
        queueMicrotask(close);
      }
      run.add(entity);
    }
    return registered;
  };
  return close;
}

function finallyDo<T>(run: () => T, over: () => void): T {
  let result: T;
  try {
    result = run();
  } catch (error) {
    over();
    throw error;
  }
  if (result instanceof Promise) {
    return result.finally(over) as T;
  }
  over();
  return result;
}
