import type { MikroORM } from '@mikro-orm/core';
import { CacheChannel, errorEvent } from './cache-channel.ts';
import { CachedOrm } from './cached-orm.ts';
import { ResultCacheError } from './errors.ts';
import type { CacheExplanation } from './explanation.ts';
import { GuardedStore } from './guarded-store.ts';
import { Intents } from './intents.ts';
import { type ResolvedOptions, type ResultCacheOptions, resolveOptions } from './options.ts';
import { shown } from './policy.ts';
import { type CacheStats, Counters } from './stats.ts';
import { EVERYTHING, nameTag } from './tags.ts';

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
