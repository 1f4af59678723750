import { randomBytes } from 'node:crypto';
import type { CacheChannel } from './cache-channel.ts';
import { currentVector, isBlocked, vectorOf } from './entry-judge.ts';
import { freshness, jittered, kept } from './expiry.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { Entries } from './entries.ts';
import type { Intents } from './intents.ts';
import type { Policy } from './policy.ts';
import type { Counters } from './stats.ts';
import type { Begun, Found } from './store.ts';

/** One read that may be answered by an entry. */
export interface CachedRead<T> {
  /** Class name, for events. */
  readonly entity: string;
  readonly registry: string;
  readonly key: string;
  /** As the store calls them. */
  readonly tags: readonly string[];
  readonly policy: Policy;
  /** Reads the database, on the primary, for this call. Its result is encoded before anybody else can change it. */
  load(): Promise<T>;
  /** The same for nobody in particular: outside the call's transaction, not aborted with it. */
  loadDetached(): Promise<T>;
}

interface Verdict<T> {
  readonly hit?: { readonly value: T };
  readonly reason: 'absent' | 'expired' | 'invalidated' | 'pending' | 'damaged';
}

/** A crashed owner of a lease is noticed after this, in ms. */
const LEASE = 1_000;
const RENEW_LEASE = 300;
const MOST_WAIT_STEP = 250;

/**
 * Answers reads from entries, and fills those that are not there. What is served was valid at some time after the call:
 * epoch and versions are captured before the database is read, and compared when the entry is (see store.ts).
 */
export class CachedReads {
  readonly #guard: GuardedStore;
  readonly #entries: Entries;
  readonly #intents: Intents;
  readonly #channel: CacheChannel;
  readonly #counters: Counters;
  readonly #maxWait: number;
  /** Fills under way in this process, by key. */
  readonly #flights = new Map<string, Promise<void>>();

  constructor(parts: {
    guard: GuardedStore;
    entries: Entries;
    intents: Intents;
    channel: CacheChannel;
    counters: Counters;
    maxWait: number;
  }) {
    this.#guard = parts.guard;
    this.#entries = parts.entries;
    this.#intents = parts.intents;
    this.#channel = parts.channel;
    this.#counters = parts.counters;
    this.#maxWait = parts.maxWait;
  }

  /** Resolves when no fill is under way. */
  async idle(): Promise<void> {
    while (this.#flights.size > 0) {
      await Promise.all(this.#flights.values());
    }
  }

  async get<T>(read: CachedRead<T>): Promise<T> {
    const started = performance.now();
    await this.#guard.ready();
    if (!this.#guard.available) {
      return await this.#bypass(read, 'store unavailable');
    }
    const verdict = await this.#ask(read, started);
    if (verdict === undefined) {
      return await this.#bypass(read, 'store unavailable');
    }
    if (verdict.hit !== undefined) {
      return verdict.hit.value;
    }
    this.#counters.miss(verdict.reason);
    this.#channel.publish(() => ({ kind: 'miss', entity: read.entity, key: read.key, reason: verdict.reason }));
    return await this.#fill(read, started);
  }

  /** The entry if it is a hit now, and nothing else: for reads inside a transaction. */
  async peek<T>(read: CachedRead<T>): Promise<{ readonly value: T } | undefined> {
    await this.#guard.ready();
    if (!this.#guard.available) {
      return undefined;
    }
    return (await this.#ask(read, performance.now()))?.hit;
  }

  async #bypass<T>(read: CachedRead<T>, reason: string): Promise<T> {
    this.#counters.bypass(reason);
    this.#channel.publish(() => ({ kind: 'bypass', entity: read.entity, reason }));
    return await read.load();
  }

  /** @returns `undefined` if the store failed */
  async #ask<T>(read: CachedRead<T>, started: number): Promise<Verdict<T> | undefined> {
    const { registry, key, tags } = read;
    try {
      let found = await this.#guard.read({ registry, key, tags });
      let verdict = await this.#judge(read, found, started);
      if (verdict.hit === undefined && found.local && verdict.reason !== 'pending') {
        // Another process may have filled it anew since.
        found = await this.#guard.read({ registry, key, tags, refresh: true });
        verdict = await this.#judge(read, found, started);
      }
      return verdict;
    } catch {
      return undefined;
    }
  }

  async #judge<T>(read: CachedRead<T>, found: Found, started: number, inEmergency = false): Promise<Verdict<T>> {
    const vector = currentVector(found);
    if (found.entry === undefined || found.registry === undefined) {
      return { reason: 'absent' };
    }
    if (isBlocked(found.registry, read.tags)) {
      return { reason: 'pending' };
    }
    if (vector === undefined) {
      return { reason: 'invalidated' };
    }
    const header = this.#entries.header(found.entry);
    if (header === undefined || header.vector !== vector) {
      return { reason: header === undefined ? 'damaged' : 'invalidated' };
    }
    const now = Date.now();
    const state = freshness(header, read.policy, now, 1 - Math.random());
    if (state === 'over' || (state === 'for emergencies' && !inEmergency)) {
      return { reason: 'expired' };
    }
    const opened = await this.#entries.open<T>(found.entry, read.key);
    if (opened.damaged !== undefined) {
      this.#counters.storeErrors += 1;
      const { damaged } = opened;
      this.#channel.publish(() => ({ kind: 'error', operation: 'decode', error: damaged }));
      return { reason: 'damaged' };
    }
    if (state !== 'fresh' && !inEmergency) {
      this.#refresh(read);
    }
    const took = performance.now() - started;
    const stale = inEmergency ? ('error' as const) : state === 'stale' ? ('revalidating' as const) : undefined;
    this.#counters.hits += 1;
    this.#counters.localHits += found.local ? 1 : 0;
    this.#counters.staleHits += stale === undefined ? 0 : 1;
    this.#counters.hitTime += took;
    const bytes = found.entry.length;
    this.#channel.publish(() => ({
      kind: 'hit',
      entity: read.entity,
      key: read.key,
      age: now - header.createdAt,
      bytes,
      local: found.local,
      ...(stale === undefined ? {} : { stale }),
      took,
    }));
    return { hit: { value: opened.value }, reason: 'absent' };
  }

  /** Of several identical misses one reads the database; the others wait for its entry, and ask the store again. */
  async #fill<T>(read: CachedRead<T>, started: number): Promise<T> {
    const deadline = performance.now() + this.#maxWait;
    for (;;) {
      const flight = this.#flights.get(read.key);
      if (flight === undefined) {
        return await this.#lead(read, started, deadline);
      }
      await Promise.race([flight, sleep(deadline - performance.now())]);
      // Its owner began before this call did, so its rows may be too old for this one: the entry has to prove itself.
      const verdict = await this.#ask(read, started);
      if (verdict?.hit !== undefined) {
        return verdict.hit.value;
      }
      if (verdict === undefined || verdict.reason === 'pending' || performance.now() >= deadline) {
        return await read.load();
      }
    }
  }

  /** Reads the database for this key, with everybody else waiting. The fill itself is not waited for by the caller. */
  #lead<T>(read: CachedRead<T>, started: number, deadline: number, background = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const flight = this.#led(read, started, deadline, background, resolve).catch(reject);
      this.#flights.set(read.key, flight);
      void flight.finally(() => this.#flights.delete(read.key));
    });
  }

  async #led<T>(
    read: CachedRead<T>,
    started: number,
    deadline: number,
    background: boolean,
    resolve: (value: T) => void,
  ): Promise<void> {
    const owner = randomBytes(9).toString('base64url');
    const captured = await this.#capture(read, owner, started, deadline);
    if (captured === undefined || 'value' in captured) {
      resolve(captured === undefined ? await this.#load(read, started, background) : captured.value);
      return;
    }
    const { vector, leased } = captured;
    const renewal = leased
      ? setInterval(() => {
          this.#guard.acquire(read.key, owner, LEASE).catch(() => undefined);
        }, RENEW_LEASE)
      : undefined;
    try {
      const before = performance.now();
      const value = await this.#load(read, started, background);
      const cost = performance.now() - before;
      this.#counters.fillTime += cost;
      // Encodes before the first await: MikroORM changes rows while it hydrates them.
      const sealed =
        vector === undefined
          ? undefined
          : this.#entries.seal(read.key, value, {
              createdAt: Date.now(),
              freshFor: jittered(read.policy, Math.random()),
              cost,
              vector,
            });
      resolve(value);
      const bytes = await sealed;
      if (bytes !== undefined && bytes.length <= read.policy.maxEntryBytes) {
        await this.#guard.fill(read.key, bytes, kept(read.policy)).then(
          () => {
            this.#counters.fills += 1;
            this.#channel.publish(() => ({
              kind: 'fill',
              entity: read.entity,
              key: read.key,
              bytes: bytes.length,
              tags: read.tags.length,
              cost,
              background,
            }));
          },
          () => undefined,
        );
      } else if (vector !== undefined) {
        const reason = bytes === undefined ? 'a value that cannot be encoded' : 'larger than maxEntryBytes';
        this.#counters.bypass(reason);
        this.#channel.publish(() => ({ kind: 'bypass', entity: read.entity, reason }));
      }
    } finally {
      clearInterval(renewal);
      if (leased) {
        await this.#guard.release(read.key, owner).catch(() => undefined);
      }
    }
  }

  /**
   * Before the database is read: the epoch and the versions, and the lease. All that in one round trip, and an entry that
   * another process has filled meanwhile with them.
   *
   * @returns `undefined`: read the database, keep nothing; `vector` undefined: hold the lease, but keep nothing
   */
  async #capture<T>(
    read: CachedRead<T>,
    owner: string,
    started: number,
    deadline: number,
  ): Promise<{ readonly value: T } | { readonly vector: string | undefined; readonly leased: boolean } | undefined> {
    const { registry, key, tags } = read;
    const { shared } = this.#guard.store;
    const ask = { registry, tags, ttl: kept(read.policy) };
    try {
      for (;;) {
        const [leased, begun, found] = await Promise.all([
          shared ? this.#guard.acquire(key, owner, LEASE) : true,
          this.#guard.begin(ask),
          shared ? this.#guard.read({ registry, key, tags, refresh: true }) : undefined,
        ]);
        const hit = found && (await this.#judge(read, found, started)).hit;
        if (hit !== undefined) {
          if (leased && shared) {
            await this.#guard.release(key, owner).catch(() => undefined);
          }
          return hit;
        }
        if (leased) {
          return { vector: await this.#vector(read, ask, begun), leased: shared };
        }
        const left = deadline - performance.now();
        if (left <= 0) {
          return undefined;
        }
        await this.#guard.store.wait(key, Math.min(left, MOST_WAIT_STEP));
        if (!this.#guard.available) {
          return undefined;
        }
      }
    } catch {
      return undefined;
    }
  }

  /** @returns `undefined` if rows read now must not be kept */
  async #vector(
    read: CachedRead<unknown>,
    ask: { registry: string; tags: readonly string[]; ttl: number },
    begun: Begun,
  ): Promise<string | undefined> {
    let now = begun;
    const expired = now.registry.intents.filter(intent => intent.expired);
    if (expired.length > 0) {
      // Their writers are dead, and nobody knows whether they had committed.
      for (const intent of expired) {
        await this.#intents.expire(read.registry, intent);
      }
      now = await this.#guard.begin(ask);
    }
    return now.settled && !isBlocked(now.registry, read.tags) ? vectorOf(now.registry, now.versions) : undefined;
  }

  /** Reads the database; if that fails, an entry over its TTL may stand in, as long as no write has made it invalid. */
  async #load<T>(read: CachedRead<T>, started: number, background: boolean): Promise<T> {
    try {
      return await (background ? read.loadDetached() : read.load());
    } catch (error) {
      if (read.policy.failSafe > 0 && !background && !(error instanceof Error && error.name === 'AbortError')) {
        const { registry, key, tags } = read;
        const found = await this.#guard.read({ registry, key, tags }).catch(() => undefined);
        const hit = found && (await this.#judge(read, found, started, true)).hit;
        if (hit !== undefined) {
          return hit.value;
        }
      }
      throw error;
    }
  }

  #refresh(read: CachedRead<unknown>): void {
    if (!this.#flights.has(read.key)) {
      this.#refreshed(read).catch(() => undefined);
    }
  }

  /** As `#lead`, but a hit does not stand in its way: it is what is to be replaced. */
  async #refreshed(read: CachedRead<unknown>): Promise<void> {
    const owner = randomBytes(9).toString('base64url');
    const flight = (async () => {
      const { registry, key, tags } = read;
      const { shared } = this.#guard.store;
      const ask = { registry, tags, ttl: kept(read.policy) };
      if (shared && !(await this.#guard.acquire(key, owner, LEASE))) {
        return;
      }
      const renewal = setInterval(() => {
        if (shared) {
          this.#guard.acquire(key, owner, LEASE).catch(() => undefined);
        }
      }, RENEW_LEASE);
      try {
        const vector = await this.#vector(read, ask, await this.#guard.begin(ask));
        if (vector === undefined) {
          return;
        }
        const before = performance.now();
        const value = await read.loadDetached();
        const cost = performance.now() - before;
        const bytes = await this.#entries.seal(key, value, {
          createdAt: Date.now(),
          freshFor: jittered(read.policy, Math.random()),
          cost,
          vector,
        });
        if (bytes !== undefined && bytes.length <= read.policy.maxEntryBytes) {
          await this.#guard.fill(key, bytes, kept(read.policy));
          this.#counters.fills += 1;
          this.#counters.fillTime += cost;
          this.#channel.publish(() => ({
            kind: 'fill',
            entity: read.entity,
            key,
            bytes: bytes.length,
            tags: tags.length,
            cost,
            background: true,
          }));
        }
      } finally {
        clearInterval(renewal);
        if (shared) {
          await this.#guard.release(key, owner).catch(() => undefined);
        }
      }
    })();
    const settled = flight.catch(() => undefined);
    this.#flights.set(read.key, settled);
    await settled.finally(() => this.#flights.delete(read.key));
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, Math.max(0, ms)).unref();
  });
}
