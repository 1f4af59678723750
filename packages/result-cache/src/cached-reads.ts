import type { Answers } from './answers.ts';
import type { CacheChannel } from './cache-channel.ts';
import type { CachedRead } from './cached-read.ts';
import type { Fills } from './fills.ts';
import type { GuardedStore } from './guarded-store.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { Counters } from './stats.ts';

/**
 * Answers reads from entries, and fills those that are not there. What is served was valid at some time after the call:
 * epoch and versions are captured before the database is read, and compared when the entry is (see store.ts).
 */
export class CachedReads {
  readonly #guard: GuardedStore;
  readonly #answers: Answers;
  readonly #fills: Fills;
  readonly #ahead: ReadAhead;
  readonly #channel: CacheChannel;
  readonly #counters: Counters;
  readonly #maxWait: number;

  constructor(parts: {
    guard: GuardedStore;
    answers: Answers;
    fills: Fills;
    ahead: ReadAhead;
    channel: CacheChannel;
    counters: Counters;
    maxWait: number;
  }) {
    this.#guard = parts.guard;
    this.#answers = parts.answers;
    this.#fills = parts.fills;
    this.#ahead = parts.ahead;
    this.#channel = parts.channel;
    this.#counters = parts.counters;
    this.#maxWait = parts.maxWait;
  }

  /** Resolves when no fill is under way. */
  idle(): Promise<void> {
    return this.#fills.idle();
  }

  async get<T>(read: CachedRead<T>): Promise<T> {
    const started = performance.now();
    if (!this.#guard.isReady) {
      await this.#guard.ready();
    }
    const answer = this.#guard.available ? await this.#answers.ask(read, started, this.#ahead.take(read)) : undefined;
    if (answer === undefined) {
      return await this.#pastStore(read);
    }
    if (answer.hit) {
      if (answer.refresh) {
        this.#fills.refresh(read);
      }
      return answer.value;
    }
    const { reason } = answer;
    this.#counters.miss(reason);
    this.#channel.publish(() => ({ kind: 'miss', entity: read.entity, key: read.key, reason }));
    return await this.#miss(read, started);
  }

  /** The entry if it is a hit now, and nothing else: for reads inside a transaction. */
  async peek<T>(read: CachedRead<T>): Promise<{ readonly value: T } | undefined> {
    await this.#guard.ready();
    const answer = this.#guard.available ? await this.#answers.ask(read, performance.now()) : undefined;
    return answer?.hit === true ? answer : undefined;
  }

  /** Of several identical misses one reads the database; the others wait for its entry, and ask the store again. */
  async #miss<T>(read: CachedRead<T>, started: number): Promise<T> {
    const deadline = performance.now() + this.#maxWait;
    for (;;) {
      const flight = this.#fills.flightOf(read.key);
      if (flight === undefined) {
        return await this.#fills.lead(read, started, deadline);
      }
      const succeeded = await withTimeout(flight, deadline - performance.now());
      // That fill began before this call did, so its rows may be too old for this one: the entry has to prove itself.
      const answer = succeeded === true ? await this.#answers.ask(read, started) : undefined;
      if (answer?.hit === true) {
        return answer.value;
      }
      if (answer === undefined || answer.reason === 'pending' || performance.now() >= deadline) {
        return await read.load();
      }
    }
  }

  async #pastStore<T>(read: CachedRead<T>): Promise<T> {
    const reason = 'store unavailable';
    this.#counters.bypass(reason);
    this.#channel.publish(() => ({ kind: 'bypass', entity: read.entity, reason }));
    return await read.load();
  }
}

async function withTimeout<T>(promise: Promise<T>, timeout: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(resolve, Math.max(0, timeout), undefined);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
