import { AsyncLocalStorage } from 'node:async_hooks';
import { DataloaderType, type EntityManager, type MikroORM, helper } from '@mikro-orm/core';
import type { KeyOf } from './batch-key.ts';
import type { Segment, Surroundings } from './fork-queue.ts';
import { changeLayer } from './seam/change-layer.ts';
import type { Entity, LoadOptions } from './seam/entity.ts';
import { type EntityManagerClass, defaultEntityManager } from './seam/entity-manager.ts';
import { FilterValues } from './seam/filter-values.ts';
import { ForkMarks } from './seam/fork-marks.ts';
import { letDriverCountByGroup } from './seam/grouped-count.ts';
import { Interceptor } from './seam/intercept.ts';
import { loadLayer } from './seam/load-layer.ts';
import { type Lone, loneOf } from './seam/lone.ts';
import { reloadWhatHoldsOther } from './seam/reload.ts';
import { RunningStatements } from './seam/running-statements.ts';
import { guardSnapshots } from './seam/snapshots.ts';
import { statementLayer } from './seam/statement-layer.ts';
import type { Takeover } from './seam/takeover.ts';

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

/** The seam of one ORM. */
export class Seam {
  readonly interceptor: Interceptor = new Interceptor();
  readonly #orm: MikroORM;
  readonly #marks = new ForkMarks();
  readonly #running = new RunningStatements();
  readonly #flushes = new AsyncLocalStorage<object>();
  readonly #filters: FilterValues;
  #closed = false;

  constructor(orm: MikroORM, keyOf: KeyOf) {
    this.#orm = orm;
    this.#filters = new FilterValues(orm, keyOf);
  }

  /** Puts the takeover in MikroORM's place. To be called from `register(orm)`, before `orm.em` exists. */
  install(takeover: Takeover): void {
    const { config, driver } = this.#orm;
    const Base = (config.get('entityManager') ?? defaultEntityManager(driver)) as unknown as EntityManagerClass;
    config.set('entityManager', this.#layered(Base, takeover) as never);
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

  /** A statement as MikroORM sends it. */
  literal({ sql, params }: { sql: string; params: readonly unknown[] }): string {
    return this.#orm.driver.getPlatform().formatQuery(sql, params);
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
    return {
      transaction: em.getTransactionContext(),
      flush: this.#flushes.getStore(),
      filters: this.#filters.around(em),
    };
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
  runIn<T>(em: EntityManager, segment: Segment<EntityManager>, statement: () => Promise<T>): Promise<T> {
    return this.#running.runIn(em, segment, statement);
  }

  /** Whether the running code is part of a statement that the loader sends on `em`. */
  isRunningFor(em: EntityManager): boolean {
    return this.#running.isRunningFor(em);
  }

  /** Keeps loads from making entities look changed; see `seam/snapshots.ts`. Called once per fork. */
  guardSnapshots(em: EntityManager): void {
    guardSnapshots(em, own => this.isRunningFor(own));
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
  #layered(Base: EntityManagerClass, takeover: Takeover): EntityManagerClass {
    const { interceptor } = this;
    const marks = this.#marks;
    const running = this.#running;
    const Stating = statementLayer(Base, { running, interceptor, marks, flushes: this.#flushes });
    const Changing = changeLayer(Stating, { takeover, filters: this.#filters, marks, running });
    return loadLayer(Changing, { takeover, interceptor, marks, isForeign: entity => this.isForeign(entity) });
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
