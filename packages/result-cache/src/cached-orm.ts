import { hash } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/core';
import { Answers } from './answers.ts';
import { type CacheChannel, errorEvent } from './cache-channel.ts';
import { CachedReads } from './cached-reads.ts';
import { createCodec } from './codec/values.ts';
import { canonicalValue } from './column-values.ts';
import type { DatabaseFacts } from './database-facts.ts';
import { Entries } from './entries.ts';
import { ResultCacheError } from './errors.ts';
import { type CacheExplanation, explained } from './explanation.ts';
import { Fills } from './fills.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { Intents } from './intents.ts';
import type { ResolvedOptions } from './options.ts';
import { OtherWriters } from './other-writers.ts';
import { shown } from './policy.ts';
import { QueryReads } from './query-reads.ts';
import { ReadAhead } from './read-ahead.ts';
import { planRead, type ReadPlan } from './read-plan.ts';
import { Recent } from './recent.ts';
import { Seam } from './seam.ts';
import type { Compiled, Send } from './seam/connection-watch.ts';
import { SharedColumns } from './shared-columns.ts';
import { mayWrite } from './sql/may-write.ts';
import { Analyser } from './sql/statement.ts';
import type { Counters } from './stats.ts';
import { Tables } from './tables.ts';
import { EVERYTHING, nameTag, TagIds } from './tags.ts';
import { TriggerWarnings } from './trigger-warnings.ts';
import { WriteSet } from './write-set.ts';
import { WriteWatch } from './write-watch.ts';

const MOST_PLANS = 2_000;
const LONGEST_PLAN = 8_192;

/** The cache of one ORM: what reads and writes of it need, tied together. */
export class CachedOrm {
  readonly seam: Seam;
  readonly #options: ResolvedOptions;
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
  readonly #warnings = new TriggerWarnings();
  /** Connections whose writes need not be logged for others. */
  readonly #prepared = new WeakSet<object>();
  readonly #others: OtherWriters | undefined;

  constructor(
    orm: MikroORM,
    options: ResolvedOptions,
    parts: { guard: GuardedStore; intents: Intents; channel: CacheChannel; counters: Counters },
  ) {
    const { guard, intents, channel, counters } = parts;
    this.#options = options;
    this.#guard = guard;
    this.#intents = intents;
    this.#analyser = new Analyser({ pure: options.pureFunctions });
    this.seam = new Seam(orm, options.entities, facts => this.#learned(facts));
    this.#entries = new Entries(createCodec(this.seam.polymorphic), options.secret, options.store.shared);
    const { externalWrites } = options;
    this.#others =
      externalWrites &&
      new OtherWriters(externalWrites, {
        seam: this.seam,
        invalidate: names => this.invalidate(this.#writesToTables(names), 'external'),
        clear: () => this.invalidateTags([EVERYTHING], 'external'),
        failed: error => channel.publish(() => errorEvent('external writes', error)),
        storeName: () => this.#storeName(),
      });
    this.#columns = new SharedColumns(
      guard,
      () => this.tables.columns(),
      () => this.#shared(),
    );
    const answers = new Answers({ guard, entries: this.#entries, channel, counters });
    const fills = new Fills({ guard, entries: this.#entries, answers, intents, channel, counters });
    const ahead = new ReadAhead(guard);
    this.#reads = new CachedReads({ guard, answers, fills, ahead, channel, counters, maxWait: options.maxWait });
    const defaults = this.#defaults();
    const globally = this.seam.globalSetting;
    this.#queries = new QueryReads({
      cached: this.#reads,
      channel,
      counters,
      defaults,
      globally,
      optionsOf: meta => this.seam.readOptionsOf(meta),
      settingOf: call => this.seam.settings.of(call.logging),
      familyOf: call => this.seam.settings.familyOf(call.logging),
      planOf: sql => this.#planOf(sql),
      formatted: (sql, params) => this.seam.formatted(sql, params),
      facts: () => this.#facts(),
      user: this.seam.user,
      registry: () => this.#registry,
      tagIds: () => this.#tagIds!,
      sessionContextsOf: em => this.seam.sessionContextsOf(em),
      transactionOf: async context => watch.transactionOn(await this.seam.physicalConnection(context)),
      primary: () => this.seam.primary(),
      hasFormulas: meta => this.seam.hasFormulas(meta),
      hasFilters: () => this.seam.hasFilters(),
      off: () => this.#off ?? this.#others?.behind,
    });
    const watch = new WriteWatch({
      tables: () => this.tables,
      intents,
      unknownWrites: options.unknownWrites,
      prepare: (connection, send, like) => this.#prepare(connection, send, like),
      isOwnWork: () => this.#others?.isLooking === true,
      ready: () => this.#columns.ready(this.#registry),
      knowsColumns: () => this.#columns.isKnown,
      setsSessions: this.seam.setsSessions,
      schemaChanged: () => this.seam.question.outdated(),
      mayWrite,
      analyse: sql => this.#analyser.analyse(sql),
      changeOf: (writes, cause, atomic) => ({
        registry: this.#registry,
        tags: this.#idsOf(writes.tags()),
        cause,
        atomic,
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
    if (!this.#columns.isKnown) {
      writes.addEverything('the columns of other processes are not known');
    }
    await this.#intents.invalidate(this.#registry, this.#idsOf(writes.tags()), cause);
  }

  async invalidateTags(tags: readonly string[], cause: 'invalidate' | 'clear' | 'external'): Promise<void> {
    await this.#facts();
    await this.#intents.invalidate(this.#registry, this.#idsOf(tags), cause);
  }

  /** Before the ORM closes. */
  async end(): Promise<void> {
    this.#columns.stop();
    await this.#others?.stop();
    await this.#reads.idle();
  }

  explain(em: object, entity: unknown, where: unknown, options: object): Promise<CacheExplanation> {
    const asked = this.#queries.explain(() => this.seam.find(em, entity, where, options));
    return asked.then(explanation => explained(explanation, this.#guard, this.#entries));
  }

  #defaults(): ResolvedOptions['policy'] {
    const { policy, ttl } = this.#options;
    return ttl === undefined && this.seam.expiration !== undefined ? { ...policy, ttl: this.seam.expiration } : policy;
  }

  #planOf(sql: string): ReadPlan {
    const known = this.#plans.get(sql);
    if (known !== undefined) {
      return known;
    }
    const plan = planRead(this.#analyser.analyse(sql), this.tables);
    if (sql.length <= LONGEST_PLAN) {
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

  #writesToTables(names: readonly string[]): WriteSet {
    const writes = this.nothing();
    for (const id of names) {
      const { schema, name } = this.tables.named(id);
      writes.addTable(schema, name);
    }
    return writes;
  }

  /** What stands for the contents of a shared store: a version in it, which is lost with them. */
  async #storeName(): Promise<string | undefined> {
    if (!this.#options.store.shared) {
      return undefined;
    }
    await this.#guard.ready();
    const tags = [this.#tagIds!.of('#followers')];
    const { versions } = await this.#guard.begin({ registry: this.#registry, tags, ttl: 86_400_000 });
    return `${this.#registry}/${versions[0]}`;
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
    this.#warnings.tell(facts, this.tables);
    this.#others?.follow();
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
