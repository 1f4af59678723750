import { type EntityMetadata, type MetadataStorage, type MikroORM, PolymorphicRef, Utils } from '@mikro-orm/core';
import type { Polymorphic } from './codec/polymorphic.ts';
import { OptionsError, ResultCacheError } from './errors.ts';
import type { NotificationSource } from './external-writes.ts';
import { type CacheSetting, checkEntityOptions, type EntityCacheOptions, shown } from './policy.ts';
import type { SessionContext } from './read-context.ts';
import type { BuilderRead } from './seam/builder-reads.ts';
import type { Connection } from './seam/connection.ts';
import { unseenWrites, watchConnection, type WatchedConnection, type Watcher } from './seam/connection-watch.ts';
import { DatabaseQuestion } from './seam/database-question.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { type DriverRead, takeDriverReads } from './seam/driver-reads.ts';
import { CallSettings, defaultEntityManager, sessionContextOf } from './seam/entity-manager.ts';
import { mappedTables, placeOf } from './seam/mapped-tables.ts';
import type { MappedTable } from './tables.ts';

/*
 * Only this file and those of seam/ touch MikroORM beyond its documented public API. What they rely on, all of 7.2:
 *
 * - `config.entityManager` is the class of the root EntityManager and of its forks; a mixin composes with others;
 * - `em.prepareOptions(options)` is called once by each reading method, and makes the `logging` object that travels with the
 *   call to the driver and to what it populates; `em.tryCache` and `storeCache` are all there is of MikroORM's own cache;
 * - every read of an EntityManager is `driver.find` or `driver.count`; see `seam/driver-reads.ts`, `seam/builder-reads.ts`;
 * - `driver.connection` and what `driver.getConnection('write')` returns are all that write; see `seam/connection-watch.ts`;
 * - a transaction's context is a Kysely transaction, whose executor provides the physical connection.
 *
 * `test/result-cache/seam.test.ts` checks each and names the MikroORM version when one has moved.
 */

/** What the extension does in MikroORM's place. */
export interface Takeover {
  readonly watch: Watcher;
  readDriver(read: DriverRead): Promise<unknown>;
  readBuilder(read: BuilderRead): Promise<unknown>;
  clearNamed(name: string): Promise<void>;
}

interface ResultCacheConfig {
  readonly expiration?: number;
  readonly global?: CacheSetting;
}

/** A client of pg. */
interface Listener extends NotificationSource {
  on(event: string, listener: (argument: never) => void): unknown;
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
}

interface Executor {
  provideConnection<T>(use: (connection: object) => Promise<T>): Promise<T>;
}

/** MikroORM's own default of `resultCache.expiration`, in ms. */
const DEFAULT_EXPIRATION = 1_000;

/** The seam of one ORM. */
export class Seam {
  readonly settings: CallSettings = new CallSettings();
  readonly question: DatabaseQuestion;
  readonly #orm: MikroORM;
  readonly #configured: readonly (readonly [entity: unknown, options: EntityCacheOptions])[];
  readonly #options = new Map<EntityMetadata, EntityCacheOptions | undefined>();
  readonly #watched = new WeakSet<object>();
  #closed: readonly string[] | undefined;

  constructor(
    orm: MikroORM,
    configured: readonly (readonly [entity: unknown, options: EntityCacheOptions])[],
    answered: (facts: DatabaseFacts) => void,
  ) {
    this.#orm = orm;
    this.#configured = configured;
    const { host, port } = orm.driver.getConnection('write').getConnectionOptions();
    this.question = new DatabaseQuestion(`${host}:${port}`, answered);
  }

  /** Puts the takeover in MikroORM's place. To be called from `register(orm)`, before `orm.em` exists. */
  install(takeover: Takeover): void {
    const { config, driver } = this.#orm;
    const Base = config.get('entityManager') ?? defaultEntityManager(this.#orm);
    config.set('entityManager', this.settings.mixin(Base, takeover) as never);
    takeDriverReads(this.#orm, read => takeover.readDriver(read));
    const getConnection = driver.getConnection.bind(driver);
    driver.getConnection = ((type?: 'read' | 'write') => {
      const connection = getConnection(type);
      if (type !== 'read') {
        // A failover may have put another connection in its place.
        this.#watch(connection, takeover.watch);
      }
      return connection;
    }) as typeof driver.getConnection;
    this.#watch(getConnection('write'), takeover.watch);
    const convert = driver.convertException.bind(driver);
    // What the cache refuses is no error of the database.
    driver.convertException = error => (error instanceof ResultCacheError ? (error as never) : convert(error));
    this.#checkAfterDiscovery();
  }

  /** Where rows to keep are read. */
  primary(): Connection {
    return this.#orm.driver.getConnection('write') as unknown as Connection;
  }

  /** Sends a statement of the cache's own. */
  async sendOnPrimary(sql: string, params: readonly unknown[]): Promise<object[]> {
    return (await this.primary().execute(sql, params, 'all', undefined, { enabled: false })) as object[];
  }

  /** A connection of its own that hears of notifications. */
  async listener(): Promise<Listener> {
    const connection = this.#orm.driver.getConnection('write') as unknown as {
      getNativeClient(): Promise<{ Client: new (options: unknown) => Listener; options: unknown }>;
    };
    const { Client, options } = await connection.getNativeClient();
    const listener = new Client(options);
    // Without it, changes are found at the next look.
    listener.on('error', () => undefined);
    await listener.connect();
    return listener;
  }

  /** Sends something on the primary, so that its connection is asked who it is. */
  async connectOnce(): Promise<void> {
    await this.sendOnPrimary('select 1', []);
  }

  /** The user that statements run as. */
  get user(): string {
    return String(this.#orm.driver.getConnection('write').getConnectionOptions().user ?? '');
  }

  get globalSetting(): CacheSetting {
    return (this.#orm.config.get('resultCache') as ResultCacheConfig).global;
  }

  /** `resultCache.expiration` of MikroORM's config, if somebody has set it, in ms. */
  get expiration(): number | undefined {
    const { expiration } = this.#orm.config.get('resultCache') as ResultCacheConfig;
    return expiration === DEFAULT_EXPIRATION ? undefined : expiration;
  }

  /** What an entity says of its caching: in `resultCache({ entities })`, or in its own definition, which it inherits. */
  optionsOf(meta: EntityMetadata): EntityCacheOptions | undefined {
    if (!this.#options.has(meta)) {
      const configured = this.#configured.find(([entity]) => this.metaOf(entity) === meta)?.[1];
      const own = configured ?? (meta as { resultCache?: EntityCacheOptions }).resultCache;
      const inherited = own === undefined && meta.root !== meta ? this.optionsOf(meta.root) : undefined;
      this.#options.set(meta, own ?? inherited);
    }
    return this.#options.get(meta);
  }

  /** The same for what is read: rows of a pivot table are read for the entities on either side of it. */
  readOptionsOf(meta: EntityMetadata): EntityCacheOptions | undefined {
    return (
      this.optionsOf(meta) ??
      (meta.pivotTable ? meta.relations : [])
        .map(({ targetMeta }) => targetMeta && this.optionsOf(targetMeta))
        .find(options => options !== undefined)
    );
  }

  /** Whether MikroORM sets the session anew whenever a connection is used. */
  get setsSessions(): boolean {
    return this.#orm.config.get('sessionContext') === 'connection';
  }

  metaOf(entity: unknown): EntityMetadata | undefined {
    return registered(this.#orm.getMetadata(), entity);
  }

  placeOf(meta: EntityMetadata): { schema: string | undefined; name: string } {
    return placeOf(this.#orm, meta);
  }

  /** How many entities the ORM has. */
  get entities(): number {
    return this.#orm.getMetadata().getAll().size;
  }

  mappedTables(): MappedTable[] {
    return mappedTables(this.#orm, meta => this.optionsOf(meta));
  }

  /** Ids of the tables whose commits fail when the store cannot be told. */
  closedTables(): readonly string[] {
    this.#closed ??= [...this.#orm.getMetadata().getAll().values()]
      .filter(meta => this.optionsOf(meta)?.onStoreError === 'closed')
      .map(meta => this.placeOf(meta))
      .map(({ schema, name }) => `${schema ?? 'public'}.${name}`);
    return this.#closed;
  }

  /** The values of a primary key in the order of its columns, as the database has them; `undefined` if it is none. */
  keyValues(meta: EntityMetadata, key: unknown): unknown[] | undefined {
    const props = meta.getPrimaryProps();
    const values = Utils.isPlainObject<Record<string, unknown>>(key)
      ? props.map(prop => key[prop.name])
      : Array.isArray(key)
        ? (key as unknown[])
        : [key];
    if (values.length !== props.length) {
      return undefined;
    }
    const platform = this.#orm.driver.getPlatform();
    return values.flatMap((value, index) => {
      const prop = props[index]!;
      const converted: unknown = prop.customType?.convertToDatabaseValue(value, platform) ?? value;
      return Array.isArray(converted) ? (converted as unknown[]) : [converted];
    });
  }

  owns(em: object): boolean {
    return (em as { config?: unknown }).config === this.#orm.config;
  }

  find(em: object, entity: unknown, where: unknown, options: object): Promise<unknown> {
    const find = (em as { find: (...args: unknown[]) => Promise<unknown> }).find;
    // Without a flush: nothing is to be sent.
    return find.call(em, entity, where, { flushMode: 'commit', ...options });
  }

  /** The session context of an EntityManager, and of the one that MikroORM sets on connections, if it does. */
  sessionContextsOf(em: object | undefined): readonly [SessionContext | undefined, SessionContext | undefined] {
    const ambient = this.setsSessions ? this.#ambient() : undefined;
    return [
      sessionContextOf(em) as SessionContext | undefined,
      sessionContextOf(ambient) as SessionContext | undefined,
    ];
  }

  #ambient(): object | undefined {
    const { config } = this.#orm;
    return config.get('context')(config.get('contextName')) as object | undefined;
  }

  /** Whether columns are computed by functions of the user's: in an entity, or in any. */
  hasFormulas(meta: EntityMetadata | undefined): boolean {
    const metas = meta === undefined ? [...this.#orm.getMetadata().getAll().values()] : [meta];
    return metas.some(each => each.props.some(prop => prop.formula !== undefined));
  }

  hasFilters(): boolean {
    const { config } = this.#orm;
    return (
      this.settings.addedFilters ||
      Object.keys(config.get('filters') ?? {}).length > 0 ||
      [...this.#orm.getMetadata().getAll().values()].some(meta => Object.keys(meta.filters ?? {}).length > 0)
    );
  }

  /** A statement with its values in it, as MikroORM sends it. */
  formatted(sql: string, params: readonly unknown[]): string {
    return this.#orm.driver.getPlatform().formatQuery(sql, params);
  }

  /** The physical connection of a transaction's context. */
  physicalConnection(context: object): Promise<object> {
    const executor = (context as { getExecutor(): Executor }).getExecutor();
    return executor.provideConnection(connection => Promise.resolve(connection));
  }

  /** Runs `end` before the ORM's connections are closed. */
  onClose(end: () => Promise<void>): void {
    const orm = this.#orm;
    const close = orm.close.bind(orm);
    orm.close = async (...args) => {
      await end();
      await close(...args);
    };
  }

  get polymorphic(): Polymorphic {
    return {
      isReference: (value): value is PolymorphicRef => value instanceof PolymorphicRef,
      makeReference: (discriminator, id) => new PolymorphicRef(discriminator, id),
      nameOf: target => this.metaOf(target)?.className,
      classOf: name =>
        [...this.#orm.getMetadata().getAll().values()].find(meta => meta.className === name)?.class as never,
    };
  }

  #watch(connection: object, watcher: Watcher): void {
    if (this.#watched.has(connection)) {
      return;
    }
    this.#watched.add(connection);
    const why = watchConnection(connection as unknown as WatchedConnection, watcher);
    if (why !== undefined) {
      throw unseenWrites(why);
    }
  }

  /** Options of entities are checked while the ORM is initialised, when it knows them. */
  #checkAfterDiscovery(): void {
    const { config } = this.#orm;
    const discovery = config.get('discovery');
    const { afterDiscovered } = discovery;
    config.set('discovery', {
      ...discovery,
      afterDiscovered: async (storage: never, platform: never) => {
        await (afterDiscovered as ((...args: never[]) => unknown) | undefined)?.(storage, platform);
        this.#check(storage as unknown as MetadataStorage);
      },
    } as never);
  }

  #check(storage: MetadataStorage): void {
    for (const [entity] of this.#configured) {
      if (registered(storage, entity) === undefined) {
        throw new OptionsError(
          'entities',
          `resultCache({ entities }) names entities of the ORM, but got: ${shown(entity)}, which is not among its entities.`,
        );
      }
    }
    for (const meta of storage.getAll().values()) {
      const { resultCache } = meta as { resultCache?: unknown };
      if (resultCache !== undefined) {
        checkEntityOptions(`resultCache of ${meta.className}`, resultCache);
      }
    }
  }
}

/** Storage also finds what a schema that it does not have says of itself. */
function registered(storage: MetadataStorage, entity: unknown): EntityMetadata | undefined {
  const meta = storage.find(entity as never) as EntityMetadata | undefined;
  return meta !== undefined && storage.getAll().get(meta.class) === meta ? meta : undefined;
}
