import { AsyncLocalStorage } from 'node:async_hooks';
import { hash } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/core';
import { CacheChannel, type CacheEvent } from './cache-channel.ts';
import { Answers } from './answers.ts';
import { CachedReads } from './cached-reads.ts';
import { canonicalValue } from './column-values.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { createCodec } from './codec/values.ts';
import { Entries } from './entries.ts';
import { ResultCacheError } from './errors.ts';
import type { ExternalWrites, Follower } from './external-writes.ts';
import { freshness } from './expiry.ts';
import { Fills } from './fills.ts';
import { GuardedStore } from './guarded-store.ts';
import { Intents } from './intents.ts';
import { currentVector, isBlocked } from './entry-judge.ts';
import { type ResolvedOptions, type ResultCacheOptions, resolveOptions } from './options.ts';
import { shown } from './policy.ts';
import { planRead, type ReadPlan } from './read-plan.ts';
import { QueryReads } from './query-reads.ts';
import { Recent } from './recent.ts';
import { Seam } from './seam.ts';
import type { Compiled, Send } from './seam/connection-watch.ts';
import { SharedColumns } from './shared-columns.ts';
import { mayWrite } from './sql/may-write.ts';
import { Analyser } from './sql/statement.ts';
import { type CacheStats, Counters } from './stats.ts';
import { Tables } from './tables.ts';
import { EVERYTHING, nameTag, TagIds, userTag } from './tags.ts';
import { WriteSet } from './write-set.ts';
import { WriteWatch } from './write-watch.ts';

/** The extension, for MikroORM's `extensions: [...]`, and the handles of its cache. One may be given to several ORMs. */
export interface ResultCache {
  /** Called by MikroORM while it is constructed. */
  register(orm: MikroORM): void;

  /**
   * Makes entries invalid that were read from an entity's table, or only those that can hold one row: for changes that the
   * ORM has not made. Resolves when no read anywhere returns them any more.
   *
   * @param entity class or schema
   * @param key the primary key; for a composite one an object or an array in the order of its properties
   * @throws {ResultCacheError} `ARGUMENT`: no entity of this ORM, or no key of it
   */
  invalidate(entity: unknown, key?: unknown): Promise<void>;

  /** Makes entries invalid that were read from these tables, named as in the database (`visit`, `audit.visit`). */
  invalidateTables(tables: readonly string[]): Promise<void>;

  /** Makes entries invalid that have one of these names (`cache: ['name', ttl]`), as `em.clearCache(name)` does. */
  invalidateTags(names: readonly string[]): Promise<void>;

  /** Makes every entry invalid, of all ORMs this is registered in. */
  clear(): Promise<void>;

  /** Sums since the process began. */
  stats(): CacheStats;

  /**
   * What the cache would do with `em.find(entity, where, options)`: nothing is sent, but for the store being asked.
   *
   * @param em a fork; the entity is looked up with its filters, schema and session context
   */
  explain(em: object, entity: unknown, where: unknown, options?: object): Promise<CacheExplanation>;
}

/** What {@link ResultCache.explain} returns. */
export interface CacheExplanation {
  readonly cacheable: boolean;
  /** Why not. */
  readonly reason: string | undefined;
  readonly sql: string | undefined;
  readonly key: string | undefined;
  /** In words: tables, `table?column=value`, `#name`. An entry is a hit as long as none of them is written to. */
  readonly tags: readonly string[];
  /** ms */
  readonly ttl: number | undefined;
  /** Whether a hit would be served now. */
  readonly present: boolean;
  /** Why there is none, or none that can be served. */
  readonly absence: 'absent' | 'expired' | 'invalidated' | 'pending' | 'damaged' | 'store unavailable' | undefined;
  /** How old the entry is, in ms. */
  readonly age: number | undefined;
  readonly bytes: number | undefined;
}

/**
 * Caches what MikroORM reads, in memory or in Redis, and never serves what a write has changed: every write that goes
 * through the ORM makes what it touches invalid before its commit can be seen.
 *
 * ```ts
 * const orm = await MikroORM.init({ entities: [Country], extensions: [resultCache()] });
 * await orm.em.fork().find(Country, { region: 'Europe' }, { cache: 60_000 });
 * ```
 *
 * Trap: writes past the ORM (psql, other services) are not seen; see `externalWrites()` and `invalidate()`.
 *
 * @throws {OptionsError} at once, for an unknown option or a wrong value
 */
export function resultCache(options?: ResultCacheOptions): ResultCache {
  return new Cache(resolveOptions(options));
}

const MOST_PLANS = 2_000;

/** Without a look at the change log for so long, the database is asked instead, in ms. */
const MOST_LAG = 10_000;

class Cache implements ResultCache {
  readonly #options: ResolvedOptions;
  readonly #channel = new CacheChannel();
  readonly #counters = new Counters();
  readonly #guard: GuardedStore;
  readonly #intents: Intents;
  readonly #orms = new Map<MikroORM, CachedOrm>();

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#guard = new GuardedStore(options.store, options, {
      failed: (operation, error) => {
        this.#counters.storeErrors += 1;
        this.#channel.publish(() => errorEvent(operation, error));
      },
      recovered: () => {
        this.#counters.invalidations += 1;
        this.#channel.publish(() => ({ kind: 'invalidate', cause: 'recovery', tags: 0, everything: 'recovery' }));
      },
    });
    this.#intents = new Intents(this.#guard, this.#channel, this.#counters, options.intentTtl);
  }

  register(orm: MikroORM): void {
    if (this.#orms.size === 0) {
      for (const warning of this.#options.store.warnings ?? []) {
        process.emitWarning(warning, { type: 'MikrokitWarning', code: 'RESULT_CACHE_STORE' });
      }
    }
    const cached = new CachedOrm(orm, this.#options, {
      guard: this.#guard,
      intents: this.#intents,
      channel: this.#channel,
      counters: this.#counters,
    });
    this.#orms.set(orm, cached);
    cached.seam.onClose(async () => {
      await cached.end();
      this.#orms.delete(orm);
      if (this.#orms.size === 0) {
        await this.#guard.dispose();
      }
    });
  }

  async invalidate(entity: unknown, key?: unknown): Promise<void> {
    const owners = [...this.#known()].filter(cached => cached.seam.metaOf(entity) !== undefined);
    if (owners.length === 0) {
      throw new ResultCacheError(
        'ARGUMENT',
        `invalidate(entity) takes an entity of the ORM that resultCache() is registered in, but got: ${shown(entity)}.`,
      );
    }
    for (const cached of owners) {
      await cached.invalidate(cached.writesTo(entity, key), 'invalidate');
    }
  }

  async invalidateTables(tables: readonly string[]): Promise<void> {
    for (const cached of this.#known()) {
      const writes = cached.nothing();
      for (const name of tables) {
        const { schema, name: table } = cached.tables.named(name);
        writes.addTable(schema, table);
      }
      await cached.invalidate(writes, 'invalidate');
    }
  }

  async invalidateTags(names: readonly string[]): Promise<void> {
    for (const cached of this.#known()) {
      await cached.invalidateTags(names.map(nameTag), 'invalidate');
    }
  }

  async clear(): Promise<void> {
    for (const cached of this.#known()) {
      await cached.invalidateTags([EVERYTHING], 'clear');
    }
  }

  stats(): CacheStats {
    return this.#counters.snapshot(this.#options.store.size());
  }

  async explain(em: object, entity: unknown, where: unknown, options: object = {}): Promise<CacheExplanation> {
    const owner = [...this.#known()].find(cached => cached.seam.owns(em));
    if (owner === undefined) {
      throw new ResultCacheError(
        'ARGUMENT',
        'explain(em, …) takes an EntityManager of the ORM that resultCache() is registered in.',
      );
    }
    return await owner.explain(em, entity, where, options);
  }

  #known(): Iterable<CachedOrm> {
    if (this.#orms.size === 0) {
      throw new ResultCacheError(
        'NOT_REGISTERED',
        'This resultCache() is registered in no open ORM. Give it to MikroORM: extensions: [cache].',
      );
    }
    return this.#orms.values();
  }
}

/** The cache of one ORM. */
class CachedOrm {
  readonly seam: Seam;
  readonly #options: ResolvedOptions;
  readonly #channel: CacheChannel;
  readonly #guard: GuardedStore;
  readonly #intents: Intents;
  readonly #entries: Entries;
  readonly #reads: CachedReads;
  readonly #queries: QueryReads;
  readonly #analyser: Analyser;
  readonly #columns: SharedColumns;
  readonly #plans = new Recent<ReadPlan>(MOST_PLANS);
  #tables: Tables | undefined;
  #entityCount = 0;
  #tagIds: TagIds | undefined;
  #registry = '';
  #off: string | undefined;
  readonly #warned = new Set<string>();
  /** Connections whose writes need not be logged for others. */
  readonly #prepared = new WeakSet<object>();
  readonly #ownWork: AsyncLocalStorage<true> | undefined;
  #follower: Follower | undefined;
  #following: Promise<Follower> | undefined;
  #listener: { end(): Promise<unknown> } | undefined;

  constructor(
    orm: MikroORM,
    options: ResolvedOptions,
    parts: { guard: GuardedStore; intents: Intents; channel: CacheChannel; counters: Counters },
  ) {
    const { guard, intents, channel, counters } = parts;
    this.#options = options;
    this.#guard = guard;
    this.#intents = intents;
    this.#channel = channel;
    this.#analyser = new Analyser({ pure: options.pureFunctions });
    this.#ownWork = options.externalWrites && new AsyncLocalStorage();
    this.seam = new Seam(orm, options.entities, facts => this.#learned(facts));
    this.#entries = new Entries(createCodec(this.seam.polymorphic), options.secret, options.store.shared);
    this.#columns = new SharedColumns(
      guard,
      () => this.tables.columns(),
      () => this.#shared(),
    );
    const answers = new Answers({ guard, entries: this.#entries, channel, counters });
    const fills = new Fills({ guard, entries: this.#entries, answers, intents, channel, counters });
    this.#reads = new CachedReads({ guard, answers, fills, channel, counters, maxWait: options.maxWait });
    const defaults = this.#defaults();
    const globally = this.seam.globalSetting;
    this.#queries = new QueryReads({
      cached: this.#reads,
      channel,
      counters,
      defaults,
      globally,
      optionsOf: meta => this.seam.optionsOf(meta),
      settingOf: call => this.seam.settings.of(call.logging),
      planOf: sql => this.#planOf(sql),
      formatted: (sql, params) => this.seam.formatted(sql, params),
      facts: () => this.#facts(),
      user: this.seam.user,
      registry: () => this.#registry,
      tagIds: () => this.#tagIds!,
      sessionContextOf: em => this.seam.sessionContextOf(em),
      transactionOf: async context => watch.transactionOn(await this.seam.physicalConnection(context)),
      primary: () => this.seam.primary(),
      hasFilters: () => this.seam.hasFilters(),
      off: () => this.#off ?? this.#unfollowed(),
    });
    const watch = new WriteWatch({
      tables: () => this.tables,
      intents,
      unknownWrites: options.unknownWrites,
      prepare: (connection, send, like) => this.#prepare(connection, send, like),
      isOwnWork: () => this.#ownWork?.getStore() === true,
      ready: () => this.#columns.ready(this.#registry),
      schemaChanged: () => this.seam.question.outdated(),
      mayWrite,
      analyse: sql => this.#analyser.analyse(sql),
      changeOf: (writes, cause) => ({
        registry: this.#registry,
        tags: this.#idsOf(writes.tags()),
        cause,
        everything: writes.everything,
        onStoreError: this.#onStoreError(writes),
      }),
      tagsOf: writes => this.#idsOf(writes.tags()),
      sessionChanged: parameter => void (this.#off ??= `a statement has changed ${parameter}`),
    });
    this.seam.install({
      watch,
      readDriver: read => this.#queries.readDriver(read),
      readBuilder: read => this.#queries.readBuilder(read),
      clearNamed: async name => {
        await this.#facts();
        await this.invalidateTags([nameTag(name)], 'invalidate');
      },
    });
  }

  get tables(): Tables {
    const { entities } = this.seam;
    if (this.#tables === undefined || this.#entityCount !== entities) {
      // Entities may be discovered later.
      this.#tables = new Tables(this.seam.mappedTables(), this.seam.question.facts);
      this.#entityCount = entities;
      this.#tables.share(this.#columns.others(), column => this.#columns.isSettled(column));
    }
    return this.#tables;
  }

  nothing(): WriteSet {
    return new WriteSet(this.tables, this.#options.unknownWrites === 'everything' ? 'everything' : 'ignore');
  }

  /** A write to an entity's table, or to one row of it. @throws {ResultCacheError} `ARGUMENT` */
  writesTo(entity: unknown, key: unknown): WriteSet {
    const meta = this.seam.metaOf(entity)!;
    const { schema, name } = this.seam.placeOf(meta);
    const writes = this.nothing();
    const table = this.tables.find(schema, name);
    if (key === undefined || table === undefined || table.primaryKey.length === 0) {
      writes.addTable(schema, name);
      return writes;
    }
    const values = this.seam.keyValues(meta, key);
    const texts = new Map<string, string | undefined>();
    table.primaryKey.forEach((column, index) => {
      const text = canonicalValue(table.tracked.get(column)!, values?.[index]);
      if (text === undefined) {
        throw new ResultCacheError(
          'ARGUMENT',
          `invalidate(${meta.className}, key) takes its primary key (${meta.primaryKeys.join(', ')}), but got: ${shown(key)}.`,
        );
      }
      texts.set(column, text);
    });
    writes.addRow(table, this.tables.idsOf(schema, name), texts);
    return writes;
  }

  async invalidate(writes: WriteSet, cause: 'invalidate' | 'external'): Promise<void> {
    await this.#facts();
    await this.#intents.invalidate(this.#registry, this.#idsOf(writes.tags()), cause);
  }

  async invalidateTags(tags: readonly string[], cause: 'invalidate' | 'clear' | 'external'): Promise<void> {
    await this.#facts();
    await this.#intents.invalidate(this.#registry, this.#idsOf(tags), cause);
  }

  /** Before the ORM closes. */
  async end(): Promise<void> {
    this.#columns.stop();
    await this.#following?.then(follower => follower.stop());
    await this.#listener?.end();
    await this.#reads.idle();
  }

  async explain(em: object, entity: unknown, where: unknown, options: object): Promise<CacheExplanation> {
    const explanation = await this.#queries.explain(() => this.seam.find(em, entity, where, options));
    const { read, reason, sql, key, tags = [], policy } = explanation ?? {};
    const none = { present: false, age: undefined, bytes: undefined };
    const about = { sql, key, tags, ttl: policy?.ttl };
    if (read === undefined) {
      return {
        ...about,
        ...none,
        cacheable: false,
        reason: reason ?? 'it sends no statement, as its entity is in the identity map',
        absence: undefined,
      };
    }
    try {
      await this.#guard.ready();
      const found = await this.#guard.read({ registry: read.registry, key: read.key, tags: read.tags });
      const header = found.entry && this.#entries.header(found.entry);
      const state = header && freshness(header, read.policy, Date.now(), 1);
      const absence =
        found.entry === undefined || found.registry === undefined
          ? 'absent'
          : isBlocked(found.registry, read.tags)
            ? 'pending'
            : header === undefined
              ? 'damaged'
              : header.vector !== currentVector(found)
                ? 'invalidated'
                : state === 'over' || state === 'for emergencies'
                  ? 'expired'
                  : undefined;
      return {
        ...about,
        cacheable: true,
        reason: undefined,
        present: absence === undefined,
        absence,
        age: header && Date.now() - header.createdAt,
        bytes: found.entry?.length,
      };
    } catch {
      return { ...about, ...none, cacheable: true, reason: undefined, absence: 'store unavailable' };
    }
  }

  #defaults(): ResolvedOptions['policy'] {
    const { policy, ttl } = this.#options;
    return ttl === undefined && this.seam.expiration !== undefined ? { ...policy, ttl: this.seam.expiration } : policy;
  }

  #planOf(sql: string): ReadPlan {
    let plan = this.#plans.get(sql);
    if (plan === undefined) {
      plan = planRead(this.#analyser.analyse(sql), this.tables);
      this.#plans.set(sql, plan);
    }
    return plan;
  }

  #prepare(connection: object, send: Send, like: Compiled): Promise<void> | undefined {
    const asked = this.seam.question.ask(send, like);
    const { externalWrites, store } = this.#options;
    // Where each process has a store of its own, the others have to hear of it.
    // What cannot be told, and is not told, has to be logged at least.
    const isTold = store.shared && this.#options.unknownWrites !== 'ignore';
    if (externalWrites === undefined || !isTold || this.#prepared.has(connection)) {
      return asked;
    }
    this.#prepared.add(connection);
    return Promise.resolve(asked).then(async () => {
      await send({ ...like, sql: externalWrites.ownSession, parameters: [] });
    });
  }

  /** Follows what others write, once it is known which database that is. */
  #follow(): void {
    const { externalWrites } = this.#options;
    if (externalWrites !== undefined && this.#following === undefined) {
      this.#following = this.#followed(externalWrites);
    }
  }

  async #followed(externalWrites: ExternalWrites): Promise<Follower> {
    const listener = externalWrites.notify ? await this.seam.listener().catch(() => undefined) : undefined;
    const name = await this.#storeName();
    this.#listener = listener;
    this.#follower = externalWrites.follow({
      query: (sql, params) => this.#ownWork!.run(true, () => this.seam.sendOnPrimary(sql, params)),
      invalidate: async names => {
        const writes = this.nothing();
        for (const id of names) {
          const { schema, name: table } = this.tables.named(id);
          writes.addTable(schema, table);
        }
        await this.invalidate(writes, 'external');
      },
      clear: () => this.invalidateTags([EVERYTHING], 'external'),
      failed: error => this.#channel.publish(() => errorEvent('external writes', error)),
      ...(name === undefined ? {} : { store: name }),
      ...(listener === undefined ? {} : { listener }),
    });
    return this.#follower;
  }

  /** Why what others have written may be unknown for longer than was promised. */
  #unfollowed(): string | undefined {
    return this.#options.externalWrites === undefined || (this.#follower?.lag ?? Infinity) < MOST_LAG
      ? undefined
      : 'the change log of others has not been read for too long';
  }

  /** What stands for the contents of a shared store: a version in it, which is lost with them. */
  async #storeName(): Promise<string | undefined> {
    if (!this.#options.store.shared) {
      return undefined;
    }
    try {
      await this.#guard.ready();
      const tags = [this.#tagIds!.of('#followers')];
      const { versions } = await this.#guard.begin({ registry: this.#registry, tags, ttl: 86_400_000 });
      return `${this.#registry}/${versions[0]}`;
    } catch {
      // A follower without a name clears the cache when it starts.
      return undefined;
    }
  }

  #facts(): DatabaseFacts | Promise<DatabaseFacts> {
    const { facts } = this.seam.question;
    const waiting = facts && this.#columns.ready(this.#registry);
    return facts !== undefined && waiting === undefined ? facts : this.#found();
  }

  async #found(): Promise<DatabaseFacts> {
    if (this.seam.question.facts === undefined) {
      await this.seam.connectOnce();
    }
    await this.#columns.ready(this.#registry);
    return this.seam.question.facts!;
  }

  #shared(): void {
    this.tables.share(this.#columns.others(), column => this.#columns.isSettled(column));
    this.#plans.clear();
    this.#queries.forget();
  }

  #learned(facts: DatabaseFacts): void {
    this.tables.learn(facts);
    this.#plans.clear();
    this.#queries.forget();
    if (this.#tagIds?.database !== facts.database) {
      this.#registry = hash('sha256', facts.database, 'base64url').slice(0, 16);
      this.#tagIds = new TagIds(facts.database);
      this.#guard.uses(this.#registry);
    }
    this.#warnOfTriggers(facts);
    this.#follow();
  }

  /** What a trigger writes to other tables is not seen, unless somebody says so. */
  #warnOfTriggers({ unusual }: DatabaseFacts): void {
    for (const [id, { triggers }] of unusual) {
      const { schema, name } = this.tables.named(id);
      const table = this.tables.find(schema, name);
      if (triggers.length > 0 && table !== undefined && !table.tellsWrites && !this.#warned.has(id)) {
        this.#warned.add(id);
        process.emitWarning(
          `resultCache(): the table ${id} has triggers (${triggers.join(', ')}). If they write to other tables, name those in ` +
            "the entity's resultCache: { alsoWrites: ['table'] }; if not, say alsoWrites: [].",
          { type: 'MikrokitWarning', code: 'RESULT_CACHE_TRIGGER' },
        );
      }
    }
  }

  #idsOf(tags: readonly string[]): string[] {
    return tags.map(tag => (tag === EVERYTHING ? tag : this.#tagIds!.of(tag)));
  }

  #onStoreError(writes: WriteSet): 'open' | 'closed' {
    return this.#options.onStoreError === 'closed' || this.seam.closedTables().some(table => writes.tables.has(table))
      ? 'closed'
      : 'open';
  }
}

function errorEvent(operation: string, error: unknown): CacheEvent {
  const text = error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'unknown';
  return { kind: 'error', operation, error: text };
}
