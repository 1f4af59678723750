import type { CacheChannel } from './cache-channel.ts';
import type { CachedRead } from './cached-read.ts';
import type { Entries } from './entries.ts';
import { currentVector, isBlocked } from './entry-judge.ts';
import { freshness } from './expiry.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { Counters } from './stats.ts';
import type { Found } from './store.ts';

/** Why there is no hit. */
export type Absence = 'absent' | 'expired' | 'invalidated' | 'pending' | 'damaged';

/** What the store has for a read: a value that was valid after the call began, or why there is none. */
export type Answer<T> =
  | { readonly hit: true; readonly value: T; /** It is to be read anew in the background. */ readonly refresh: boolean }
  | { readonly hit: false; readonly reason: Absence };

/** Asks the store, and decides whether what it has may be served. */
export class Answers {
  readonly #guard: GuardedStore;
  readonly #entries: Entries;
  readonly #channel: CacheChannel;
  readonly #counters: Counters;

  constructor(parts: { guard: GuardedStore; entries: Entries; channel: CacheChannel; counters: Counters }) {
    this.#guard = parts.guard;
    this.#entries = parts.entries;
    this.#channel = parts.channel;
    this.#counters = parts.counters;
  }

  /**
   * @param started when the call began, in ms
   * @param ahead what the store was asked for already, since then
   * @returns `undefined` if the store failed
   */
  async ask<T>(
    read: CachedRead<T>,
    started: number,
    ahead?: Promise<Found | undefined>,
  ): Promise<Answer<T> | undefined> {
    const { registry, key, tags } = read;
    try {
      const found = (ahead && (await ahead)) ?? (await this.#guard.read({ registry, key, tags }));
      const answer = await this.judge(read, found, started);
      // Another process may have filled it anew since this one took its copy.
      return answer.hit || !found.local || answer.reason === 'pending'
        ? answer
        : await this.judge(read, await this.#guard.read({ registry, key, tags, refresh: true }), started);
    } catch {
      return undefined;
    }
  }

  /** When the database has failed: an entry over its TTL will do, as long as no write has made it invalid. */
  async askInEmergency<T>(read: CachedRead<T>, started: number): Promise<Answer<T> | undefined> {
    const { registry, key, tags } = read;
    try {
      return await this.judge(read, await this.#guard.read({ registry, key, tags }), started, true);
    } catch {
      return undefined;
    }
  }

  async judge<T>(read: CachedRead<T>, found: Found, started: number, inEmergency = false): Promise<Answer<T>> {
    const { entry, registry } = found;
    if (entry === undefined || registry === undefined) {
      return { hit: false, reason: 'absent' };
    }
    if (isBlocked(registry, read.tags)) {
      return { hit: false, reason: 'pending' };
    }
    const vector = currentVector(found);
    const header = vector === undefined ? undefined : this.#entries.header(entry);
    if (vector === undefined || (header !== undefined && header.vector !== vector)) {
      return { hit: false, reason: 'invalidated' };
    }
    const now = Date.now();
    // 1 − random: never 0, whose logarithm would be infinite.
    const state = header && freshness(header, read.policy, now, 1 - Math.random());
    if (state === 'over' || (state === 'for emergencies' && !inEmergency)) {
      return { hit: false, reason: 'expired' };
    }
    const opened = this.#entries.open<T>(entry, read.key);
    const result = opened instanceof Promise ? await opened : opened;
    if (header === undefined || result.damaged !== undefined) {
      this.#counters.storeErrors += 1;
      this.#channel.publish(() => ({ kind: 'error', operation: 'decode', error: result.damaged ?? 'header' }));
      return { hit: false, reason: 'damaged' };
    }
    const stale = inEmergency ? ('error' as const) : state === 'stale' ? ('revalidating' as const) : undefined;
    this.#count(read, found, now - header.createdAt, entry.length, stale, performance.now() - started);
    return { hit: true, value: result.value, refresh: state !== 'fresh' && !inEmergency };
  }

  #count(
    read: CachedRead<unknown>,
    { local }: Found,
    age: number,
    bytes: number,
    stale: 'revalidating' | 'error' | undefined,
    took: number,
  ): void {
    this.#counters.hits += 1;
    this.#counters.localHits += local ? 1 : 0;
    this.#counters.staleHits += stale === undefined ? 0 : 1;
    this.#counters.hitTime += took;
    this.#channel.publish(() => ({
      kind: 'hit',
      entity: read.entity,
      key: read.key,
      age,
      bytes,
      local,
      ...(stale === undefined ? {} : { stale }),
      took,
    }));
  }
}
