import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Collection,
  DataloaderType,
  DriverException,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type MikroORM,
  QueryHelper,
  Raw,
  ReferenceKind,
  Utils,
  ValidationError,
  helper,
} from '@mikro-orm/core';
import type { RawLike } from './batch-key.ts';
import type { Blame } from './isolate.ts';
import type { Segment } from './fork-queue.ts';

/*
 * The only file that touches MikroORM beyond its documented public API. What it relies on, all of 7.2:
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

/** Options of a load as they reach the seam: MikroORM's own types differ by call, their union is this. */
export type LoadOptions = Record<string, unknown>;

/** A managed entity, of whatever class. */
export type Entity = object;

/** A collection, of whatever owner and items. */
export type AnyCollection = Collection<object, object>;

/** What answers the loads of one segment. */
export interface Loaders {
  reference(entity: Entity, options: LoadOptions): Promise<Entity | null>;
  collection(collection: AnyCollection, options: LoadOptions): Promise<Entity[]>;
  count(collection: AnyCollection, options: LoadOptions): Promise<number>;
}

/** What the loader does in place of MikroORM. `em` is always the fork that the call resolves to. */
export interface Takeover {
  /** The loaders for calls that are made now. */
  loaders(em: EntityManager): Loaders;
  populate(em: EntityManager, entities: readonly Entity[], hints: unknown, options: LoadOptions): Promise<void>;
  /** Called for an entity of another ORM in a user's own `em.populate([...])`. @throws */
  refuseForeign(entity: Entity): never;
  /** Whether a loaded collection holds something else than this `load()` asks for. */
  holdsOther(collection: AnyCollection, options: LoadOptions): boolean;
  /** Called before filters, their parameters, schema or session of `em` change. */
  stateChanges(em: EntityManager): void;
  /** Called before the transaction of `em` begins or ends. */
  settle(em: EntityManager): Promise<void>;
}

const lone = Symbol('@mikrokit/batch-loader lone');

/** MikroORM's own methods, which the takeover runs its statements with, and what its prototypes ask the takeover. */
interface Lone {
  holdsOther(collection: AnyCollection, options: LoadOptions): boolean;
  findOne(entityName: unknown, where: unknown, options: LoadOptions): Promise<Entity | null>;
  populate(entities: readonly Entity[], hints: unknown, options: LoadOptions): Promise<unknown>;
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

/** The segment whose statement is running, so that filters, schema and session can be those it was called with. */
const runningSegment = Symbol('running segment');

/** The seam of one ORM. */
export class Seam {
  readonly #orm: MikroORM;
  readonly #marks = new ForkMarks();
  readonly #segments = new AsyncLocalStorage<Segment<EntityManager>>({ name: String(runningSegment.description) });
  #closed = false;
  #countTarget: GroupedCount | undefined;

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
    this.#groupCounts();
  }

  /** Whether `orm.close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether `em.clear()` of a user has detached this entity from `em`. */
  isDetached(em: EntityManager, entity: Entity): boolean {
    if (!this.#marks.cleared.has(em)) {
      return false;
    }
    const wrapped = helper(entity);
    return (
      em.getUnitOfWork().getById(wrapped.__meta.class, wrapped.getPrimaryKey() as never, wrapped.__schema) !== entity
    );
  }

  /** Whether the entity is managed by an EntityManager of another ORM. */
  isForeign(entity: Entity): boolean {
    const em = helper(entity).__em;
    return em !== undefined && em.config !== this.#orm.config;
  }

  /** Runs a statement with the filters, schema and session context of its segment. */
  runIn<T>(segment: Segment<EntityManager>, statement: () => Promise<T>): Promise<T> {
    return this.#segments.run(segment, statement);
  }

  /**
   * Keeps loads from making entities look changed. MikroORM's refresh replaces an entity's whole snapshot by the row just
   * read: what that row did not hold (other columns of a partial load, lazy properties) would be written back by the next
   * flush. And it registers the rows of an M:N twice, which converts their arrays twice. Called once per fork.
   */
  guardSnapshots(em: EntityManager): void {
    const uow = em.getUnitOfWork(false);
    const register = uow.register.bind(uow);
    const segments = this.#segments;
    uow.register = (entity, data, options) => {
      const wrapped = helper(entity);
      const before = wrapped.__originalEntityData as Record<string, unknown> | undefined;
      if (!options?.refresh || before === undefined || segments.getStore() === undefined) {
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

  /**
   * `em.count()` grouped by a relation, with everything else (filters, joins, distinct, schema, session) MikroORM's own.
   *
   * @param groupBy a to-one or M:N relation of `target`; `where` has to restrict it
   * @returns the rows' group keys as the database gives them, with their counts; `undefined` if the condition joins the
   * relation a second time, so that it is not clear which join to group by
   */
  async countGrouped(
    em: EntityManager,
    target: EntityMetadata,
    where: object,
    options: LoadOptions,
    groupBy: EntityProperty,
  ): Promise<{ key: unknown[]; count: number }[] | undefined> {
    const grouped: GroupedCount = { groupBy, rows: undefined };
    await em.count(target.class, where as never, { ...options, [groupedCount]: grouped } as never);
    return grouped.rows;
  }

  /** The EM mixin: every entry point of a lazy load, and every change of what a load returns. */
  #mixin(Base: EntityManagerClass, takeover: Takeover): EntityManagerClass {
    const marks = this.#marks;
    const segments = this.#segments;
    const facadesOf = new WeakMap<Loaders, Facades>();
    const frozenOf = (em: EntityManager): Record<string, (...args: unknown[]) => unknown> | undefined => {
      const frozen = segments.getStore()?.frozen;
      return frozen === em
        ? undefined
        : (frozen as unknown as Record<string, (...args: unknown[]) => unknown> | undefined);
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
      readonly [lone]: Lone = {
        holdsOther: (collection, options) => takeover.holdsOther(collection, options),
        findOne: (entityName, where, options) => super.findOne(entityName, where, options),
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
        return this.#isolated(options, () => super.findOne(entityName, where, options));
      }

      override find(entityName: unknown, where: unknown, options: LoadOptions = {}): Promise<Entity[]> {
        return this.#isolated(options, () => super.find(entityName, where, options));
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

      override applyFilters(...args: unknown[]): unknown {
        const frozen = frozenOf(this.getContext(false));
        return frozen ? frozen['applyFilters']!(...args) : super.applyFilters(...args);
      }

      override prepareOptions(...args: unknown[]): unknown {
        const frozen = frozenOf(this.getContext(false));
        return frozen ? frozen['prepareOptions']!(...args) : super.prepareOptions(...args);
      }

      override getTransactionSessionContext(): unknown {
        const frozen = frozenOf(this.getContext(false));
        return frozen ? frozen['getTransactionSessionContext']!() : super.getTransactionSessionContext();
      }

      // A batch runs its statements at once, and each may flush first. MikroORM queues concurrent flushes, but forgets the
      // queue when one fails: those behind it would never end. So they are not concurrent.
      override async tryFlush(entityName: unknown, options: unknown): Promise<void> {
        const em = this.getContext();
        if (
          segments.getStore() === undefined ||
          !em.getUnitOfWork().shouldAutoFlush(em.getMetadata().get(entityName as never))
        ) {
          return super.tryFlush(entityName, options);
        }
        const flush = (marks.flushes.get(em) ?? Promise.resolve()).then(() => super.tryFlush(entityName, options));
        marks.flushes.set(
          em,
          flush.catch(() => undefined),
        );
        return flush;
      }

      // Hydrating a 1:M "persists" its items, known as they are, and has the next find of their class flush first.
      override persist(entities: unknown): unknown {
        return segments.getStore() !== undefined && areManaged(entities) ? this.getContext() : super.persist(entities);
      }

      override async begin(...args: unknown[]): Promise<void> {
        await takeover.settle(this.getContext(false));
        await super.begin(...args);
      }

      override async commit(): Promise<void> {
        await takeover.settle(this.getContext(false));
        await super.commit();
      }

      override async rollback(): Promise<void> {
        await takeover.settle(this.getContext(false));
        await super.rollback();
      }

      override transactional(callback: (em: EntityManager) => Promise<unknown>, options?: unknown): Promise<unknown> {
        return super.transactional(async em => {
          const result = await callback(em);
          // Loads that the callback started and did not await belong to its transaction.
          await takeover.settle(em);
          return result;
        }, options);
      }

      override clear(): void {
        const em = this.getContext();
        if (!marks.throwaway.has(em)) {
          marks.cleared.add(em);
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

  /**
   * Lets `driver.count` answer by group. It builds its query in one synchronous run from `createQueryBuilder` on, so the
   * builder it gets while `#countTarget` is set is the one to answer for.
   */
  #groupCounts(): void {
    const driver = this.#orm.driver as unknown as CountingDriver;
    const count = driver.count.bind(driver);
    const createQueryBuilder = driver.createQueryBuilder.bind(driver);
    driver.count = (entityName, where, options) => {
      this.#countTarget = options?.[groupedCount] as GroupedCount | undefined;
      try {
        return count(entityName, where, options);
      } finally {
        this.#countTarget = undefined;
      }
    };
    driver.createQueryBuilder = (...args) => {
      const qb = createQueryBuilder(...args);
      const target = this.#countTarget;
      if (target) {
        this.#countTarget = undefined;
        qb.getCount = () => countByGroup(qb, target);
      }
      return qb;
    };
  }
}

const groupedCount = Symbol('@mikrokit/batch-loader grouped count');

interface GroupedCount {
  readonly groupBy: EntityProperty;
  rows: { key: unknown[]; count: number }[] | undefined;
}

interface CountingDriver {
  count(entityName: unknown, where: unknown, options?: Record<symbol, unknown>): Promise<number>;
  createQueryBuilder(...args: unknown[]): CountingQueryBuilder;
}

interface CountingQueryBuilder {
  readonly alias: string;
  readonly mainAlias: { readonly meta: EntityMetadata };
  readonly state: { readonly joins: Record<string, { readonly alias: string; readonly table: string }> };
  processPopulateHint(): void;
  hasToManyJoins(): boolean;
  select(fields: unknown[]): this;
  groupBy(fields: unknown): this;
  execute(method: 'all', options: { mapResults: false }): Promise<Record<string, unknown>[]>;
  getCount(): Promise<number>;
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

interface UntypedEntityManager {
  readonly config: EntityManager['config'];
  getContext(validate?: boolean): EntityManager;
  getDataLoader(type: string): Promise<LoaderFacade>;
  findOne(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity | null>;
  find(entityName: unknown, where: unknown, options?: LoadOptions): Promise<Entity[]>;
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
  persist(entities: unknown): unknown;
  begin(...args: unknown[]): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  transactional(callback: (em: EntityManager) => Promise<unknown>, options?: unknown): Promise<unknown>;
  clear(): void;
  fork(options?: unknown): EntityManager;
}

const reloading = Symbol.for('@mikrokit/batch-loader reloading');

/**
 * `collection.load()` asks no loader once the collection is loaded, whatever it was loaded with: `load({ limit: 3 })`
 * after `load({ limit: 2 })` would give two items, and `load()` after `load({ where })` some. There is no way in but the
 * prototype; collections of an ORM without the extension pass through. It keeps no state.
 */
function reloadWhatHoldsOther(): void {
  const prototype = Collection.prototype as unknown as { load: Load & { [reloading]?: true } };
  const load = prototype.load;
  if (load[reloading]) {
    return;
  }
  const patched: typeof load = function (this: AnyCollection, options: LoadOptions = {}) {
    const em = helper(this.owner).__em;
    const own = em && (loneOf(em) as Lone | undefined);
    if (
      own === undefined ||
      options['refresh'] === true ||
      options['dataloader'] === false ||
      this.isDirty() ||
      !this.isInitialized(true) ||
      !own.holdsOther(this, options)
    ) {
      return load.call(this, options);
    }
    return this.init({ refresh: false, ...options } as never);
  };
  patched[reloading] = true;
  prototype.load = patched;
}

type Load = (this: AnyCollection, options?: LoadOptions) => Promise<AnyCollection>;

function loneOf(em: EntityManager): Lone {
  return (em as unknown as { [lone]: Lone })[lone];
}

function areManaged(entities: unknown): boolean {
  const managed = (entity: unknown): boolean => Utils.isEntity<Entity>(entity, true) && helper(entity).__managed;
  return Array.isArray(entities) ? entities.every(managed) : managed(entities);
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

async function countByGroup(qb: CountingQueryBuilder, grouped: GroupedCount): Promise<number> {
  // As getCount() does, so that hasToManyJoins() knows the joins that `where` and filters ask for.
  qb.processPopulateHint();
  const target = groupColumns(qb, grouped.groupBy);
  if (target === undefined) {
    return 0;
  }
  const { alias, columns } = target;
  const group = columns.map(column => new Raw('??', [`${alias}.${column}`]));
  const keys = columns.map((column, index) => new Raw('?? as ??', [`${alias}.${column}`, `key${index}`]));
  const primary = qb.mainAlias.meta.getPrimaryProps().flatMap(property => property.fieldNames);
  const count = qb.hasToManyJoins()
    ? new Raw(
        `count(distinct (${primary.map(() => '??').join(', ')})) as count`,
        primary.map(column => `${qb.alias}.${column}`),
      )
    : new Raw('count(*) as count');
  const rows = await qb
    .select([...keys, count])
    .groupBy(group)
    .execute('all', { mapResults: false });
  grouped.rows = rows.map(row => ({ key: columns.map((_, index) => row[`key${index}`]), count: Number(row['count']) }));
  return 0;
}

function groupColumns(
  qb: CountingQueryBuilder,
  groupBy: EntityProperty,
): { alias: string; columns: string[] } | undefined {
  if (groupBy.kind !== ReferenceKind.MANY_TO_MANY) {
    return { alias: qb.alias, columns: groupBy.fieldNames };
  }
  const pivots = Object.values(qb.state.joins).filter(join => join.table === groupBy.pivotTable);
  return pivots.length === 1 ? { alias: pivots[0]!.alias, columns: groupBy.inverseJoinColumns } : undefined;
}

/** MikroORM's `raw()` fragment behind a value or a symbol key, for {@link createKeyOf}. */
export function rawFragment(candidate: unknown): RawLike | undefined {
  return Raw.getKnownFragment(candidate as symbol) as RawLike | undefined;
}

/** The fork whose identity map holds the entity, if it is managed. */
export function managerOf(entity: Entity): EntityManager | undefined {
  return helper(entity).__em;
}

/** Metadata of the entity's own class (of a subclass, that of the subclass). */
export function metadataOf(entity: Entity): EntityMetadata {
  return helper(entity).__meta as EntityMetadata;
}

/** PostgreSQL schema of the entity, if it is not the default one. */
export function schemaOf(entity: Entity): string | undefined {
  return helper(entity).__schema;
}

/** Whether the entity has a primary key. One referenced by another unique key (`targetKey`) may have none until it is loaded. */
export function hasPrimaryKey(entity: Entity): boolean {
  return helper(entity).hasPrimaryKey();
}

/** The key by which the identity map knows the entity. */
export function serializedKey(entity: Entity): string {
  return helper(entity).getSerializedPrimaryKey();
}

/**
 * `where` for these entities, by primary key.
 *
 * Numbers and uuids go into one parameter, an array (`id = any('{1,2,3}')`); MikroORM's `in (1, 2, 3)` builds, converts and
 * quotes each value on its own, which for a large batch costs more than reading the rows. Other keys take that way.
 */
export function primaryKeyCondition(meta: EntityMetadata, entities: readonly Entity[]): object {
  const keys = entities.map(entity => Utils.getPrimaryKeyValues(entity, meta as never, true) as unknown);
  const name = Utils.getPrimaryKeyHash(meta.primaryKeys);
  if (keys.length > 1 && !meta.compositePK) {
    if (keys.every(isInteger)) {
      // Of the widest type: an integer column compares with it by its index, and no key is out of its range.
      return { [name]: new Raw('any(?::bigint[])', [`{${keys.join(',')}}`]) };
    }
    if (keys.every(isUuid)) {
      return { [name]: new Raw('any(?)', [`{${keys.join(',')}}`]) };
    }
  }
  return { [name]: { $in: keys } };
}

function isInteger(key: unknown): boolean {
  return Number.isSafeInteger(key) || (typeof key === 'bigint' && BigInt.asIntN(64, key) === key);
}

// Nothing but hex digits and dashes gets into the array literal as it is.
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function isUuid(key: unknown): boolean {
  return typeof key === 'string' && UUID.test(key);
}

/** The relation that a collection belongs to. */
export function relationOf(collection: AnyCollection): EntityProperty {
  return collection.property as unknown as EntityProperty;
}

/** `loadItems()` reads a 1:M from what the loader returns, an M:N from the collection itself. */
export function isOneToMany(relation: EntityProperty): boolean {
  return relation.kind === ReferenceKind.ONE_TO_MANY;
}

/** Filters of a collection load: the call's over the relation's own. */
export function filtersOf(collection: AnyCollection, filters: unknown): unknown {
  return QueryHelper.mergePropertyFilters(relationOf(collection).filters, filters as never);
}

/** Ordering of a collection load: the call's, the relation's, the target's, and with a limit its key to break ties. */
export function orderOf(relation: EntityProperty, orderBy: unknown, tieBreak: boolean): object[] {
  const target = relation.targetMeta!;
  return QueryHelper.mergeOrderBy(
    orderBy as object,
    relation.orderBy as object,
    target.orderBy as object,
    ...(tieBreak ? target.primaryKeys.map(key => ({ [key]: 'asc' })) : []),
  ) as object[];
}

/** Schema of a collection load: that of the owner where the target lives in the schema of its owner (`schema: '*'`). */
export function collectionSchema(collection: AnyCollection): string | undefined {
  return relationOf(collection).targetMeta!.schema === '*' ? schemaOf(collection.owner) : undefined;
}

/**
 * Whether conditions on the relation's target can stand side by side in one statement: they speak of the target's own
 * columns only. One that reaches into another relation brings a join, and joins of two conditions multiply their rows.
 */
export function isFlatCondition(where: unknown, target: EntityMetadata): boolean {
  if (!Utils.isPlainObject(where)) {
    return false;
  }
  return Reflect.ownKeys(where).every(key => {
    const value = (where as Record<string | symbol, unknown>)[key];
    if (typeof key === 'symbol') {
      return Raw.isKnownFragmentSymbol(key);
    }
    if (key === '$and' || key === '$or') {
      return Array.isArray(value) && value.every(condition => isFlatCondition(condition, target));
    }
    const property = (target.properties as Record<string, EntityProperty>)[key];
    return property?.kind === ReferenceKind.SCALAR && property.fieldNames?.length === 1 && !property.formula;
  });
}

/** Whether `isFlatCondition` conditions can be tied to their owners in one statement of this relation. */
export function canTieConditions(relation: EntityProperty): boolean {
  const owning =
    relation.kind === ReferenceKind.ONE_TO_MANY
      ? relation.targetMeta!.properties[relation.mappedBy as never]
      : undefined;
  return owning !== undefined && !(owning as EntityProperty).polymorphic;
}

/** The condition that a row of a 1:M belongs to one of these owners. */
export function ownerCondition(relation: EntityProperty, owners: readonly Entity[]): object {
  const owning = relation.targetMeta!.properties[relation.mappedBy as never] as EntityProperty;
  return { [relation.mappedBy]: { $in: owners.map(owner => helper(owner).getTargetKeyValue(owning.targetKey)) } };
}

/** Who is to blame for a failed statement, by its SQLSTATE (https://www.postgresql.org/docs/18/errcodes-appendix.html). */
export function blameOf(error: unknown): Blame {
  if (!(error instanceof DriverException)) {
    // MikroORM refused the call before any SQL was sent: an unknown property, a bad value.
    return error instanceof Error && error.name === 'AbortError' ? 'shared' : 'value';
  }
  const state = String((error as { code?: unknown }).code ?? '');
  // Class 22: data exception. Class 42: syntax error, unknown column or operator.
  return state.startsWith('22') ? 'value' : state.startsWith('42') ? 'shape' : 'shared';
}

/** Whether the error comes from PostgreSQL, so that a transaction it happened in is aborted. */
export function isDatabaseError(error: unknown): error is Error {
  return error instanceof DriverException;
}

/**
 * Runs `load` so that it can fill collections anew. MikroORM cannot: it skips what is initialised, and a collection once
 * loaded with a limit is read-only for good, even to its own hydration.
 *
 * @param forced collections to treat as not loaded yet, until they are hydrated
 * @param limited collections that are, or are about to be, loaded with a limit
 */
export async function refilling<T>(
  forced: readonly AnyCollection[],
  limited: readonly AnyCollection[],
  load: () => Promise<T>,
): Promise<T> {
  for (const collection of forced) {
    override(collection, 'isInitialized', () => false);
  }
  const hooked = new Set([...forced, ...limited]);
  for (const collection of hooked) {
    override(collection, 'hydrate', (items: never, forcePropagate?: boolean, partial?: boolean, readonly?: boolean) => {
      restore(collection);
      delete collection[READONLY_GUARD];
      collection.hydrate(items, forcePropagate, partial, false);
      if (readonly) {
        override(collection, READONLY_GUARD, () => {
          throw ValidationError.cannotModifyReadonlyCollection(collection.owner, relationOf(collection));
        });
      }
    });
  }
  try {
    return await load();
  } finally {
    hooked.forEach(restore);
  }
}

/** Whether a limited load has left the collection read-only. */
export function isReadonly(collection: AnyCollection): boolean {
  return Object.hasOwn(collection, READONLY_GUARD);
}

// The method by which a collection refuses changes. Read-only is told by an own property in its place, as MikroORM's own
// flag is private and is never taken back.
const READONLY_GUARD = 'validateModification' as keyof AnyCollection;

function override(collection: AnyCollection, method: keyof AnyCollection, value: unknown): void {
  Object.defineProperty(collection, method, { value, configurable: true, enumerable: false, writable: true });
}

function restore(collection: Partial<AnyCollection>): void {
  delete collection.isInitialized;
  delete collection.hydrate;
}

/** How the counts of a relation are read in one grouped query. */
export interface CountTarget {
  readonly meta: EntityMetadata;
  readonly groupBy: EntityProperty;
  /** `where` and options of the `em.count()` for these owners. */
  query(
    owners: readonly Entity[],
    where: unknown,
    options: LoadOptions,
  ): Promise<{ where: object; options: LoadOptions }>;
}

/** The grouped count of a relation; `undefined` where MikroORM's lone count is the only one (polymorphic owners). */
export function countTarget(em: EntityManager, relation: EntityProperty): CountTarget | undefined {
  const target = relation.targetMeta!;
  const counterpart =
    relation.kind === ReferenceKind.MANY_TO_MANY && relation.owner ? relation.inversedBy : relation.mappedBy;
  if (counterpart !== undefined) {
    const groupBy = target.properties[counterpart as never] as EntityProperty;
    if (groupBy.polymorphic || relation.polymorphic) {
      return undefined;
    }
    return {
      meta: target,
      groupBy,
      query: async (owners, where, options) => ({
        where: { ...(where as object), [counterpart]: { $in: owners.map(owner => keyFor(owner, groupBy)) } },
        options,
      }),
    };
  }
  if (relation.polymorphic || relation.pivotEntity === undefined) {
    return undefined;
  }
  // A one-sided M:N has no property to ask its target by: its pivot rows are counted, with the target's filters as their condition.
  const pivot = em.getMetadata().get(relation.pivotEntity as never) as EntityMetadata;
  const [toOwner, toTarget] = pivot.relations as EntityProperty[];
  return {
    meta: pivot,
    groupBy: toOwner!,
    query: async (owners, where, { filters, ...options }) => {
      const condition = (await em.applyFilters(target.class, (where ?? {}) as never, filters as never, 'read')) as
        | object
        | undefined;
      return {
        where: {
          [toOwner!.name]: { $in: owners.map(owner => keyFor(owner, toOwner!)) },
          ...(condition && Reflect.ownKeys(condition).length > 0 ? { [toTarget!.name]: condition } : {}),
        },
        options: { ...options, filters: false },
      };
    },
  };
}

function keyFor(owner: Entity, groupBy: EntityProperty): unknown {
  if (groupBy.targetKey) {
    return helper(owner).getTargetKeyValue(groupBy.targetKey);
  }
  const wrapped = helper(owner);
  return wrapped.__meta.compositePK ? wrapped.__primaryKeys : wrapped.getPrimaryKey();
}

/** Finds the owner that a group key of the database stands for; `undefined` if it is none of them. */
export function ownersByGroupKey(
  em: EntityManager,
  owners: readonly Entity[],
  groupBy: EntityProperty,
): (key: readonly unknown[]) => Entity | undefined {
  const { targetKey } = groupBy;
  if (targetKey) {
    const byValue = new Map(owners.map(owner => [String(helper(owner).getTargetKeyValue(targetKey)), owner]));
    return key => byValue.get(String(key[0]));
  }
  const first = owners[0]!;
  const known = new Set(owners);
  return key => {
    const reference = em.getReference(metadataOf(first).class, (key.length === 1 ? key[0] : key) as never, {
      convertCustomTypes: true,
      ...(schemaOf(first) === undefined ? {} : { schema: schemaOf(first)! }),
    });
    return known.has(reference) ? reference : undefined;
  };
}

/** The count of one collection as MikroORM reads it. */
export function countAlone(
  em: EntityManager,
  collection: AnyCollection,
  where: unknown,
  options: LoadOptions,
): Promise<number> {
  const condition = (
    collection as unknown as { createLoadCountCondition(where: object): object }
  ).createLoadCountCondition({
    ...(where as object | undefined),
  });
  return em.count(relationOf(collection).targetMeta!.class, condition as never, options as never);
}
