import { randomBytes } from 'node:crypto';
import type { Answers } from './answers.ts';
import type { CacheChannel } from './cache-channel.ts';
import type { CachedRead } from './cached-read.ts';
import type { Entries } from './entries.ts';
import { isBlocked, vectorOf } from './entry-judge.ts';
import { jittered, kept } from './expiry.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { Intents } from './intents.ts';
import type { Counters } from './stats.ts';
import type { BeginAsk, Begun } from './store.ts';

/** A crashed owner of a lease is noticed after this, in ms. */
const LEASE = 1_000;
const RENEW_LEASE = 300;
const MOST_WAIT_STEP = 250;

/** What has to be known before the database is read, so that its rows may be kept. */
type Captured<T> =
  /** Another process has filled it meanwhile. */
  | { readonly value: T }
  /** @property vector `undefined`: rows read now must not be kept */
  | { readonly vector: string | undefined; readonly leased: boolean };

/**
 * Reads the database and keeps the rows: one at a time for each key, in this process and, by a lease, across processes.
 * The epoch and the versions of the tags are captured before the database is asked, so that rows older than a write carry
 * versions from before it.
 */
export class Fills {
  readonly #guard: GuardedStore;
  readonly #entries: Entries;
  readonly #answers: Answers;
  readonly #intents: Intents;
  readonly #channel: CacheChannel;
  readonly #counters: Counters;
  /** Fills under way in this process, by key; each resolves, whether it succeeds or not, with whether the database answered. */
  readonly #flights = new Map<string, Promise<boolean>>();

  constructor(parts: {
    guard: GuardedStore;
    entries: Entries;
    answers: Answers;
    intents: Intents;
    channel: CacheChannel;
    counters: Counters;
  }) {
    this.#guard = parts.guard;
    this.#entries = parts.entries;
    this.#answers = parts.answers;
    this.#intents = parts.intents;
    this.#channel = parts.channel;
    this.#counters = parts.counters;
  }

  flightOf(key: string): Promise<boolean> | undefined {
    return this.#flights.get(key);
  }

  /** Resolves when no fill is under way. */
  async idle(): Promise<void> {
    while (this.#flights.size > 0) {
      await Promise.all(this.#flights.values());
    }
  }

  /**
   * Reads the database for a key, with everybody else waiting. The caller has its rows before they are kept.
   *
   * @param deadline until when another process may be waited for that reads the same, in ms
   */
  lead<T>(read: CachedRead<T>, started: number, deadline: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#fly(read.key, this.#led(read, started, deadline, resolve), reject);
    });
  }

  /** Reads an entry anew that is still served, unless that is under way. */
  refresh(read: CachedRead<unknown>): void {
    if (!this.#flights.has(read.key)) {
      this.#fly(read.key, this.#refreshed(read), () => undefined);
    }
  }

  #fly(key: string, fill: Promise<void>, failed: (error: unknown) => void): void {
    const flight = fill.then(
      () => true,
      (error: unknown) => {
        failed(error);
        return false;
      },
    );
    this.#flights.set(key, flight);
    void flight.then(() => this.#flights.delete(key));
  }

  async #led<T>(read: CachedRead<T>, started: number, deadline: number, deliver: (value: T) => void): Promise<void> {
    const owner = newOwner();
    const captured = await this.#capture(read, owner, started, deadline);
    const load = (): Promise<T> => this.#loadOrEmergency(read, started);
    if (captured === undefined) {
      deliver(await load());
    } else if ('value' in captured) {
      deliver(captured.value);
    } else {
      await this.#underLease(read.key, owner, captured.leased, () =>
        this.#readAndKeep(read, captured.vector, load, false, deliver),
      );
    }
  }

  async #refreshed(read: CachedRead<unknown>): Promise<void> {
    const owner = newOwner();
    const { shared } = this.#guard.store;
    if (shared && !(await this.#guard.acquire(read.key, owner, LEASE))) {
      return;
    }
    await this.#underLease(read.key, owner, shared, async () => {
      const ask = askOf(read);
      const vector = await this.#vector(read, ask, await this.#guard.begin(ask));
      if (vector !== undefined) {
        await this.#readAndKeep(
          read,
          vector,
          () => read.loadDetached(),
          true,
          () => undefined,
        );
      }
    });
  }

  /** @returns `undefined` if the store failed, or another process takes too long */
  async #capture<T>(
    read: CachedRead<T>,
    owner: string,
    started: number,
    deadline: number,
  ): Promise<Captured<T> | undefined> {
    const { registry, key, tags } = read;
    const { shared } = this.#guard.store;
    const ask = askOf(read);
    try {
      for (;;) {
        // One round trip: what another process has filled since the miss is seen with the lease.
        const [leased, begun, found] = await Promise.all([
          shared ? this.#guard.acquire(key, owner, LEASE) : true,
          this.#guard.begin(ask),
          shared ? this.#guard.read({ registry, key, tags, refresh: true }) : undefined,
        ]);
        const answer = found && (await this.#answers.judge(read, found, started));
        if (answer?.hit === true) {
          if (leased) {
            await this.#guard.release(key, owner);
          }
          return { value: answer.value };
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

  /** @returns `undefined` if rows read now must not be kept, or the store failed */
  async #vector(read: CachedRead<unknown>, ask: BeginAsk, begun: Begun): Promise<string | undefined> {
    try {
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
    } catch {
      return undefined;
    }
  }

  async #underLease(key: string, owner: string, leased: boolean, run: () => Promise<void>): Promise<void> {
    if (!leased) {
      await run();
      return;
    }
    const renewal = setInterval(() => {
      this.#guard.acquire(key, owner, LEASE).catch(() => undefined);
    }, RENEW_LEASE);
    try {
      await run();
    } finally {
      clearInterval(renewal);
      await this.#guard.release(key, owner).catch(() => undefined);
    }
  }

  async #readAndKeep<T>(
    read: CachedRead<T>,
    vector: string | undefined,
    load: () => Promise<T>,
    background: boolean,
    deliver: (value: T) => void,
  ): Promise<void> {
    const before = performance.now();
    const value = await load();
    const cost = performance.now() - before;
    // Encodes before it returns a promise: MikroORM changes rows while it hydrates them.
    const sealed =
      vector === undefined || !read.keep
        ? undefined
        : this.#entries.seal(read.key, value, {
            createdAt: Date.now(),
            freshFor: jittered(read.policy, Math.random()),
            cost,
            vector,
          });
    deliver(value);
    if (sealed === undefined) {
      return;
    }
    const bytes = await sealed;
    if (bytes === undefined || bytes.length > read.policy.maxEntryBytes) {
      this.#passBy(read, bytes === undefined ? 'a result that cannot be encoded' : 'larger than maxEntryBytes');
      return;
    }
    try {
      await this.#guard.fill(read.key, bytes, kept(read.policy));
    } catch {
      // The guard has told of it.
      return;
    }
    this.#counters.fills += 1;
    this.#counters.fillTime += cost;
    const { entity, key, tags } = read;
    this.#channel.publish(() => ({
      kind: 'fill',
      entity,
      key,
      bytes: bytes.length,
      tags: tags.length,
      cost,
      background,
    }));
  }

  #passBy({ entity }: CachedRead<unknown>, reason: string): void {
    this.#counters.bypass(reason);
    this.#channel.publish(() => ({ kind: 'bypass', entity, reason }));
  }

  async #loadOrEmergency<T>(read: CachedRead<T>, started: number): Promise<T> {
    try {
      return await read.load();
    } catch (error) {
      // A call that was aborted wants no answer.
      if (read.policy.failSafe > 0 && !(error instanceof Error && error.name === 'AbortError')) {
        const answer = await this.#answers.askInEmergency(read, started);
        if (answer?.hit === true) {
          return answer.value;
        }
      }
      throw error;
    }
  }
}

function askOf({ registry, tags, policy }: CachedRead<unknown>): BeginAsk {
  return { registry, tags, ttl: kept(policy) };
}

function newOwner(): string {
  return randomBytes(9).toString('base64url');
}
