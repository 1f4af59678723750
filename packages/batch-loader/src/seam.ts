import { AsyncLocalStorage } from 'node:async_hooks';
import {
  DataloaderType,
  type EntityManager,
  type MikroORM,
  TransactionPropagation,
  Utils,
  helper,
} from '@mikro-orm/core';
import type { Segment, Surroundings } from './fork-queue.ts';
import { type Batching, batching } from './seam/batching.ts';
import type { AnyCollection, Entity, LoadOptions } from './seam/entity.ts';
import { letDriverCountByGroup } from './seam/grouped-count.ts';
import { Interceptor } from './seam/intercept.ts';
import { holdsOther, reloadWhatHoldsOther } from './seam/reload.ts';

/*
 * Only this file and those of seam/ touch MikroORM beyond its documented public API. What they rely on, all of 7.2:
 *
 * - `config.entityManager` is the class of the root EntityManager and of its forks; a mixin composes with others;
 * - `Reference.load`, `Collection.init` and `Collection.loadCount` ask `em.getDataLoader(type)` for `{ load([it, options]) }`
 *   when the config's dataloader type says so; the first returns what load() gives, `init` copies a 1:M's items from it;
 * - `wrap(e).init()` is `em.findOne(Class, e, { refresh: true, … })`; `ScalarReference.load`, `wrap(e).populate` and
 *   `collection.load()` on a loaded collection are `em.populate(e | Set, hints, options)`;
 * - `Collection.prototype.load` decides alone whether a loaded collection is loaded again;
 * - `UnitOfWork.register(entity, data, { refresh })` replaces the entity's snapshot;
 * - `em.applyFilters`, `prepareOptions` and `getTransactionSessionContext` read filters, schema and session of `this`;
 * - `driver.count` configures one QueryBuilder from `driver.createQueryBuilder` and asks it for `getCount()`.
 *
 * `test/batch-loader/seam.test.ts` checks each and names the MikroORM version when one has moved.
 */

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

/** Propagations that take the open transaction away from its EntityManager while the new one lasts. */
const SUSPENDING: ReadonlySet<string | undefined> = new Set<string | undefined>([
  TransactionPropagation.REQUIRES_NEW,
  TransactionPropagation.NOT_SUPPORTED,
]);

const lone = Symbol('@mikrokit/batch-loader lone');

/** MikroORM's own methods, which the takeover runs its statements with. */
export interface Lone {
  find(entityName: unknown, where: unknown, options: LoadOptions): Promise<Entity[]>;
  findOne(entityName: unknown, where: unknown, options: LoadOptions): Promise<Entity | null>;
  count(entityName: unknown, where: unknown, options: LoadOptions): Promise<number>;
  populate(entities: readonly Entity[], hints: unknown, options: LoadOptions): Promise<unknown>;
  /** The entity that `em.findOne()` would return without asking the database. */
  known(entityName: unknown, where: unknown, options: LoadOptions): Entity | undefined;
}

type EntityManagerClass = new (...args: unknown[]) => EntityManager;

/** State that an ORM's forks carry for the seam; WeakMaps, so that it goes with the forks. */
class ForkMarks {
  /** Forks whose `clear()` was called: their entities are detached. */
  readonly cleared = new WeakSet<EntityManager>();
  /** Forks made by `disableIdentityMap`: MikroORM clears them itself, and their entities may go on loading. */
  readonly throwaway = new WeakSet<EntityManager>();
  /** The end of the last flush that a batch began. */
  readonly flushes = new WeakMap<EntityManager, Promise<void>>();
}

/** The statement that the running code is part of, so that its filters, schema and session are those it was called with. */
interface Running {
  readonly em: EntityManager;
  readonly segment: Segment<EntityManager>;
  /** The statement that this one is part of, by a hook. */
  readonly parent: Running | undefined;
  /** Work that a hook has left behind runs on in the context of the statement when that is over. */
  over: boolean;
}

/** The seam of one ORM. */
export class Seam {
  readonly interceptor: Interceptor = new Interceptor();
  readonly #orm: MikroORM;
  readonly #marks = new ForkMarks();
  readonly #running = new AsyncLocalStorage<Running>();
  readonly #flushes = new AsyncLocalStorage<object>();
  #closed = false;

  constructor(orm: MikroORM) {
    this.#orm = orm;
  }

  /** Puts the takeover in MikroORM's place. To be called from `register(orm)`, before `orm.em` exists. */
  install(takeover: Takeover): void {
    const { config, driver } = this.#orm;
    const Base = (config.get('entityManager') ?? defaultEntityManager(driver)) as unknown as EntityManagerClass;
    config.set('entityManager', this.#mixin(Base, takeover) as never);
    config.set('dataloader', DataloaderType.ALL);
    reloadWhatHoldsOther();
    this.#noticeClose();
    letDriverCountByGroup(this.#orm);
    this.interceptor.install(this.#orm);
  }

  /** MikroORM's own methods of a fork. */
  lone(em: EntityManager): Lone {
    return loneOf(em);
  }

  /** The tables of all entities, quoted as MikroORM quotes them in statements. */
  tableNames(): string[] {
    const platform = this.#orm.driver.getPlatform();
    return [...this.#orm.getMetadata().getAll().values()]
      .filter(meta => (meta.tableName as string | undefined) !== undefined && !meta.embeddable && !meta.virtual)
      .map(({ schema, tableName }) =>
        platform.quoteIdentifier(schema === undefined || schema === '*' ? tableName : `${schema}.${tableName}`),
      );
  }

  /** A Date as MikroORM writes it into a statement. */
  formatDate(date: Date): string {
    return (this.#orm.driver.getPlatform() as unknown as { formatDate(date: Date): string }).formatDate(date);
  }

  /** Whether `orm.close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What a call on `em` is made in the middle of. */
  surroundings(em: EntityManager): Surroundings {
    return { transaction: em.getTransactionContext(), flush: this.#flushes.getStore() };
  }

  /** Whether `em.clear()` of a user has detached this entity from the EntityManager that managed it. */
  isDetached(entity: Entity): boolean {
    const wrapped = helper(entity);
    const em = wrapped.__em;
    if (em === undefined || !this.#marks.cleared.has(em)) {
      return false;
    }
    const known = em
      .getUnitOfWork(false)
      .getById(wrapped.__meta.class, wrapped.getPrimaryKey() as never, wrapped.__schema);
    return known !== entity;
  }

  /** Whether the entity is managed by an EntityManager of another ORM. */
  isForeign(entity: Entity): boolean {
    const em = helper(entity).__em;
    return em !== undefined && em.config !== this.#orm.config;
  }

  /** Runs a statement with the filters, schema and session context of its segment. */
  async runIn<T>(em: EntityManager, segment: Segment<EntityManager>, statement: () => Promise<T>): Promise<T> {
    const running: Running = { em, segment, parent: this.#running.getStore(), over: false };
    try {
      return await this.#running.run(running, statement);
    } finally {
      running.over = true;
    }
  }

  /** Whether the running code is part of a statement that the loader sends on `em`. */
  isRunningFor(em: EntityManager): boolean {
    const running = this.#running.getStore();
    return running?.em === em && !running.over;
  }

  /** Whether a statement on `em` waits for the running code. */
  #isAwaitedBy(em: EntityManager): boolean {
    for (let running = this.#running.getStore(); running !== undefined; running = running.parent) {
      if (running.em === em && !running.over) {
        return true;
      }
    }
    return false;
  }

  /**
   * Keeps loads from making entities look changed. MikroORM's refresh replaces an entity's whole snapshot by the row just
   * read: what that row did not hold (other columns of a partial load, lazy properties) would be written back by the next
   * flush. And it registers the rows of an M:N twice, which converts their arrays twice. Called once per fork.
   */
  guardSnapshots(em: EntityManager): void {
    const uow = em.getUnitOfWork(false);
    const register = uow.register.bind(uow);
    uow.register = (entity, data, options) => {
      const wrapped = helper(entity);
      const before = wrapped.__originalEntityData as Record<string, unknown> | undefined;
      if (!options?.refresh || before === undefined || !this.isRunningFor(em)) {
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

  /** `em.findOne(entity)` as MikroORM does it. */
  findOneAlone(em: EntityManager, entity: Entity, options: LoadOptions): Promise<Entity | null> {
    return loneOf(em).findOne(entity.constructor, entity, options);
  }

  /**
   * `em.populate(entities)` as MikroORM does it, all entities of a class in one statement per relation. It takes the class
   * of the first for that of all, and a reference may have turned into its subclass since it was asked for.
   */
  async populateAll(
    em: EntityManager,
    entities: readonly Entity[],
    hints: unknown,
    options: LoadOptions,
  ): Promise<void> {
    const byClass = Map.groupBy(entities, entity => entity.constructor);
    await Promise.all([...byClass.values()].map(group => loneOf(em).populate(group, hints, options)));
  }

  /** The EM mixin: every entry point of a lazy load, and every change of what a load returns. */
  #mixin(Base: EntityManagerClass, takeover: Takeover): EntityManagerClass {
    const marks = this.#marks;
    const { interceptor } = this;
    const flushes = this.#flushes;
    const facadesOf = new WeakMap<Loaders, Facades>();
    const isRunningFor = (em: EntityManager): boolean => this.isRunningFor(em);
    const frozenOf = (em: EntityManager): FrozenState | undefined => {
      const running = this.#running.getStore();
      return running?.em === em && !running.over
        ? (running.segment.frozen as unknown as FrozenState | undefined)
        : undefined;
    };
    // A hook of a running batch that waited for it would wait for itself.
    const settle = async (em: EntityManager): Promise<void> => {
      if (!this.#isAwaitedBy(em)) {
        await takeover.settle(em);
      }
    };
    const assertOwn = (entities: unknown): void => {
      for (const entity of Array.isArray(entities) ? entities : []) {
        if (Utils.isEntity<Entity>(entity, true) && this.isForeign(entity)) {
          takeover.refuseForeign(entity);
        }
      }
    };
    // MikroORM's methods take type parameters that a mixin over an unknown subclass cannot restate.
    const Untyped = Base as unknown as new (...args: unknown[]) => UntypedEntityManager;

    const Batched = class extends Untyped {
      readonly [holdsOther] = (collection: AnyCollection, options: LoadOptions): boolean =>
        takeover.holdsOther(collection, options);

      readonly [batching]: Batching = takeover.batching;

      readonly [lone]: Lone = {
        find: (entityName, where, options) => this.#isolated(options, () => super.find(entityName, where, options)),
        findOne: (entityName, where, options) =>
          this.#isolated(options, () => super.findOne(entityName, where, options)),
        count: (entityName, where, options) => super.count(entityName, where, options),
        known: (entityName, where, options) => this.#known(entityName, where, options),
        populate: (entities, hints, options) => super.populate(entities, hints, options),
      };

      // Called by the load itself, which comes back with its options a promise job later: what happens on the fork in
      // between is after the call.
      override getDataLoader(type: 'ref' | '1:m' | 'm:n' | 'count'): Promise<LoaderFacade> {
        const loaders = takeover.loaders(this.getContext());
        let facades = facadesOf.get(loaders);
        if (facades === undefined) {
          facades = createFacades(loaders);
          facadesOf.set(loaders, facades);
        }
        return facades[type];
      }

      override async findOne(entityName: unknown, where: unknown, options: LoadOptions = {}): Promise<Entity | null> {
        // wrap(e).init()
        if (
          options['refresh'] === true &&
          options['dataloader'] !== false &&
          Utils.isEntity(where) &&
          helper(where).__em
        ) {
          return takeover.loaders(this.getContext()).reference(where, options);
        }
        return this.#beside(() => this.#isolated(options, () => super.findOne(entityName, where, options)));
      }

      override find(entityName: unknown, where: unknown, options: LoadOptions = {}): Promise<Entity[]> {
        return this.#beside(() => this.#isolated(options, () => super.find(entityName, where, options)));
      }

      override async populate(entities: unknown, hints: unknown, options: LoadOptions = {}): Promise<unknown> {
        assertOwn(entities);
        const targets = options['dataloader'] === false ? undefined : lazyTargets(entities, hints);
        if (targets === undefined) {
          return super.populate(entities, hints, options);
        }
        await takeover.populate(this.getContext(), targets, hints, options);
        return entities;
      }

      override setFilterParams(...args: unknown[]): void {
        takeover.stateChanges(this.getContext());
        super.setFilterParams(...args);
      }

      override addFilter(...args: unknown[]): void {
        takeover.stateChanges(this.getContext(false));
        super.addFilter(...args);
      }

      override setSessionContext(...args: unknown[]): void {
        takeover.stateChanges(this.getContext());
        super.setSessionContext(...args);
      }

      override clearSessionContext(): void {
        takeover.stateChanges(this.getContext(false));
        super.clearSessionContext();
      }

      override get schema(): string | undefined {
        return super.schema;
      }

      override set schema(schema: string | null | undefined) {
        takeover.stateChanges(this.getContext(false));
        super.schema = schema;
      }

      // Filters may ask the database themselves.
      override applyFilters(...args: unknown[]): unknown {
        const frozen = frozenOf(this.getContext(false));
        return interceptor.outside(() => (frozen ? frozen.applyFilters(...args) : super.applyFilters(...args)));
      }

      override prepareOptions(...args: unknown[]): unknown {
        const frozen = frozenOf(this.getContext(false));
        return frozen ? frozen.prepareOptions(...args) : super.prepareOptions(...args);
      }

      override getTransactionSessionContext(): unknown {
        const frozen = frozenOf(this.getContext(false));
        return frozen ? frozen.getTransactionSessionContext() : super.getTransactionSessionContext();
      }

      // A batch runs its statements at once, and each may flush first. MikroORM queues concurrent flushes, but forgets the
      // queue when one fails: those behind it would never end. So they are not concurrent.
      override async tryFlush(entityName: unknown, options: unknown): Promise<void> {
        return interceptor.outside(() => this.#tryFlush(entityName, options));
      }

      async #tryFlush(entityName: unknown, options: unknown): Promise<void> {
        const em = this.getContext();
        if (!isRunningFor(em) || !em.getUnitOfWork().shouldAutoFlush(em.getMetadata().get(entityName as never))) {
          return super.tryFlush(entityName, options);
        }
        const flush = (marks.flushes.get(em) ?? Promise.resolve()).then(() => super.tryFlush(entityName, options));
        marks.flushes.set(
          em,
          flush.catch(() => undefined),
        );
        return flush;
      }

      // A statement that is only looked at needs no transaction for its session context.
      override withSessionContext(transaction: unknown, run: (transaction: unknown) => unknown, on?: unknown): unknown {
        return interceptor.dry ? run(transaction) : super.withSessionContext(transaction, run, on);
      }

      // A flush's hooks may load, and the flush waits for them: what they load must not wait for the flush.
      override flush(): Promise<void> {
        return flushes.run({}, () => super.flush());
      }

      // Hydrating a 1:M "persists" its items, known as they are, and has the next find of their class flush first.
      override persist(entities: unknown): unknown {
        const em = this.getContext();
        return isRunningFor(em) && Array.isArray(entities) && areManaged(em, entities) ? em : super.persist(entities);
      }

      override async begin(...args: unknown[]): Promise<void> {
        await settle(this.getContext(false));
        await super.begin(...args);
      }

      override async commit(): Promise<void> {
        await settle(this.getContext(false));
        await super.commit();
      }

      override async rollback(): Promise<void> {
        await settle(this.getContext(false));
        await super.rollback();
      }

      override async transactional(
        callback: (em: EntityManager) => Promise<unknown>,
        options?: unknown,
      ): Promise<unknown> {
        const outer = this.getContext(false);
        if (SUSPENDING.has((options as { propagation?: string } | undefined)?.propagation)) {
          // It takes the open transaction away from the loads that were made in it.
          await settle(outer);
        } else {
          takeover.send(outer);
        }
        return super.transactional(async em => {
          const result = await callback(em);
          // Loads that the callback started and did not await are part of it.
          await settle(em);
          return result;
        }, options);
      }

      override clear(): void {
        const em = this.getContext();
        if (!marks.throwaway.has(em)) {
          marks.cleared.add(em);
          takeover.clears(em);
        }
        super.clear();
      }

      override fork(options?: unknown): EntityManager {
        const fork = super.fork(options);
        if (this.#forksForItself) {
          marks.throwaway.add(fork);
        }
        return fork;
      }

      /** Runs what a call asks the fork for on the way, apart from the statement of the call itself. */
      #beside<T>(run: () => T): T {
        return marks.throwaway.has(this as unknown as EntityManager) ? run() : interceptor.outside(run);
      }

      #known(entityName: unknown, where: unknown, options: LoadOptions): Entity | undefined {
        const em = this.getContext() as unknown as UntypedEntityManager;
        const prepared = em.prepareOptions(options) as LoadOptions;
        const uow = (em as unknown as EntityManager).getUnitOfWork(false);
        const entity = uow.tryGetById(entityName as never, where as never, prepared['schema'] as string | undefined);
        return entity &&
          (!helper(entity).__managed || !em.shouldRefresh(helper(entity).__meta, entity as Entity, prepared))
          ? (entity as Entity)
          : undefined;
      }

      #forksForItself = false;

      // With disableIdentityMap a find runs on a fork that MikroORM makes, synchronously, and clears afterwards.
      #isolated<T>(options: LoadOptions, find: () => Promise<T>): Promise<T> {
        if (!(options['disableIdentityMap'] ?? this.config.get('disableIdentityMap'))) {
          return find();
        }
        const em = this.getContext(false) as unknown as this;
        em.#forksForItself = true;
        try {
          return find();
        } finally {
          em.#forksForItself = false;
        }
      }
    };
    return Batched as unknown as EntityManagerClass;
  }

  #noticeClose(): void {
    const orm = this.#orm;
    const close = orm.close.bind(orm);
    const reconnect = orm.reconnect.bind(orm);
    orm.close = async (...args) => {
      this.#closed = true;
      await close(...args);
    };
    orm.reconnect = async (...args) => {
      await reconnect(...args);
      this.#closed = false;
    };
  }
}

interface LoaderFacade {
  load(call: [it: unknown, options: LoadOptions]): Promise<unknown>;
}

type Facades = Readonly<Record<'ref' | '1:m' | 'm:n' | 'count', Promise<LoaderFacade>>>;

function createFacades(loaders: Loaders): Facades {
  const collection = Promise.resolve<LoaderFacade>({
    load: ([it, options]) => loaders.collection(it as AnyCollection, options),
  });
  return {
    ref: Promise.resolve<LoaderFacade>({
      load: ([it, options]) => loaders.reference((it as { unwrap(): Entity }).unwrap(), options),
    }),
    '1:m': collection,
    'm:n': collection,
    count: Promise.resolve<LoaderFacade>({ load: ([it, options]) => loaders.count(it as AnyCollection, options) }),
  };
}

type FrozenState = Pick<UntypedEntityManager, 'applyFilters' | 'prepareOptions' | 'getTransactionSessionContext'>;

interface UntypedEntityManager {
  readonly config: EntityManager['config'];
  getContext(validate?: boolean): EntityManager;
  getDataLoader(type: string): Promise<LoaderFacade>;
  findOne(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity | null>;
  find(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity[]>;
  count(entityName: unknown, where?: unknown, options?: LoadOptions): Promise<number>;
  shouldRefresh(meta: unknown, entity: Entity, options: LoadOptions): boolean;
  withSessionContext(transaction: unknown, run: (transaction: unknown) => unknown, on?: unknown): unknown;
  populate(entities: unknown, hints: unknown, options?: LoadOptions): Promise<unknown>;
  setFilterParams(...args: unknown[]): void;
  addFilter(...args: unknown[]): void;
  setSessionContext(...args: unknown[]): void;
  clearSessionContext(): void;
  get schema(): string | undefined;
  set schema(schema: string | null | undefined);
  applyFilters(...args: unknown[]): unknown;
  prepareOptions(...args: unknown[]): unknown;
  getTransactionSessionContext(): unknown;
  tryFlush(entityName: unknown, options: unknown): Promise<void>;
  flush(): Promise<void>;
  persist(entities: unknown): unknown;
  begin(...args: unknown[]): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  transactional(callback: (em: EntityManager) => Promise<unknown>, options?: unknown): Promise<unknown>;
  clear(): void;
  fork(options?: unknown): EntityManager;
}

function loneOf(em: EntityManager): Lone {
  return (em as unknown as { [lone]: Lone })[lone];
}

/** Whether persisting these entities would tell `em` nothing. */
function areManaged(em: EntityManager, entities: readonly unknown[]): boolean {
  const removed = em.getUnitOfWork(false).getRemoveStack();
  const managed = (entity: unknown): boolean =>
    Utils.isEntity<Entity>(entity, true) && helper(entity).__managed && !removed.has(entity);
  return entities.every(managed);
}

/**
 * The EntityManager class that the driver would take without an `entityManager` in the config. The driver names it only
 * as the fallback of that look-up, so it is asked with a config that shows the fallback.
 */
function defaultEntityManager(driver: MikroORM['driver']): unknown {
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

/**
 * The entities of an `em.populate()` call that MikroORM makes for a lazy load: one entity, or the items of a collection
 * (a Set) with something to populate. `undefined` for an array, which is a user's own `em.populate([...])`.
 */
function lazyTargets(entities: unknown, hints: unknown): readonly Entity[] | undefined {
  if (entities instanceof Set) {
    return entities.size > 0 && Array.isArray(hints) && hints.length > 0 ? [...(entities as Set<Entity>)] : undefined;
  }
  return Utils.isEntity<Entity>(entities) ? [entities] : undefined;
}
