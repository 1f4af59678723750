import { StoreError } from '../errors.ts';
import type { RedisClient } from './client.ts';
import { Known } from './known.ts';
import { PushLink } from './push-link.ts';

/** When a link is made anew, in ms: soon, and ever later. */
const FIRST_RETRY = 50;
const LAST_RETRY = 2_000;

/** For how long `check()` waits to be told that it may not, in ms: less than the cache waits for `check()`. */
const PATIENCE = 300;

/** What push mode needs. */
export interface PushOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** How old what is known may be, in ms, whatever fails. */
  readonly timeout: number;
  /** How much memory the values take at most. */
  readonly maxBytes: number;
  /** See {@link PushLink}. */
  beat(name: string): Promise<unknown>;
}

/**
 * Knows values of keys without asking: they are remembered when they are read, and forgotten when Redis tells that they
 * have changed. That comes after the change, by the time a message takes; and should it not come at all, nothing is used
 * that has not been confirmed within `timeout`: by the clock, whether or not timers and sockets get to run.
 */
export class Push {
  readonly #options: PushOptions;
  readonly #known: Known;
  #link: PushLink | undefined;
  /** Whether the link has worked: from then on all changes are told. */
  #isLive = false;
  #trustedUntil = 0;
  #retry: NodeJS.Timeout | undefined;
  #retryIn = FIRST_RETRY;
  #isStarted = false;
  #isClosed = false;
  /** A beat that Redis has not answered: no other is sent after it. */
  #unanswered = false;
  #refusal: StoreError | undefined;
  #onOutcome = new Set<() => void>();
  /** A new connection of the user's may lead to another server, or to one that has lost something. */
  readonly #onClose = (): void => this.#link?.end();

  constructor(options: PushOptions) {
    this.#options = options;
    this.#known = new Known(options.maxBytes);
  }

  get bytes(): number {
    return this.#known.bytes;
  }

  /** With the first use, not before. */
  start(): void {
    if (!this.#isStarted && !this.#isClosed) {
      this.#isStarted = true;
      this.#options.client.on('close', this.#onClose);
      this.#connect();
    }
  }

  /** @throws {StoreError} `DENIED`. What takes longer, or fails otherwise, goes without push and is tried again. */
  async check(): Promise<void> {
    this.start();
    if (!this.#isLive && this.#refusal === undefined && !this.#isClosed) {
      await new Promise<void>(resolve => {
        const end = (): void => {
          clearTimeout(timer);
          this.#onOutcome.delete(end);
          resolve();
        };
        const timer = setTimeout(end, PATIENCE);
        this.#onOutcome.add(end);
      });
    }
    if (this.#refusal !== undefined) {
      throw this.#refusal;
    }
  }

  /** @returns the values of all of them (`''`: it is not there), or `undefined` if Redis has to be asked */
  get(names: readonly string[]): readonly string[] | undefined {
    return performance.now() < this.#trustedUntil ? this.#known.get(names) : undefined;
  }

  /** Asks Redis for their values, and remembers them. */
  async ask<T>(
    names: readonly string[],
    send: () => Promise<T>,
    valuesOf: (answer: T) => readonly string[],
  ): Promise<T> {
    this.start();
    if (!this.#isLive) {
      return await send();
    }
    const asked = this.#known.ask(names);
    try {
      const answer = await send();
      this.#known.learn(asked, valuesOf(answer));
      return answer;
    } finally {
      this.#known.giveUp(asked);
    }
  }

  /**
   * Changes them. Forgotten before, so that no answer under way is remembered, and after, so that whoever goes on when
   * this resolves does not find what was read meanwhile.
   */
  async change<T>(names: readonly string[], send: () => Promise<T>): Promise<T> {
    this.#known.forget(names);
    try {
      return await send();
    } finally {
      this.#known.forget(names);
    }
  }

  /** Makes those that are not there. What is known otherwise stays so: were it forgotten, every miss would cost all hits. */
  async make<T>(
    names: readonly string[],
    send: () => Promise<T>,
    valuesOf: (answer: T) => readonly string[],
  ): Promise<T> {
    try {
      const answer = await send();
      this.#known.compare(names, valuesOf(answer));
      return answer;
    } catch (error) {
      this.#known.forget(names);
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#options.client.removeListener('close', this.#onClose);
    this.#link?.end();
    this.#tell();
  }

  #connect(): void {
    const { client, prefix, timeout } = this.#options;
    this.#link = new PushLink(
      { client, prefix, timeout, beat: name => this.#beat(name) },
      {
        changed: names => (names === undefined ? this.#known.clear() : this.#known.forget(names)),
        confirmed: at => {
          this.#isLive = true;
          this.#trustedUntil = at + timeout;
          this.#retryIn = FIRST_RETRY;
          this.#refusal = undefined;
          this.#tell();
        },
        ended: reason => this.#lose(reason),
      },
    );
  }

  #lose(reason: StoreError | undefined): void {
    this.#link = undefined;
    this.#isLive = false;
    this.#trustedUntil = 0;
    this.#known.clear();
    if (this.#isClosed) {
      return;
    }
    if (reason?.code === 'DENIED') {
      this.#refusal = denied(this.#options.prefix);
      this.#tell();
    }
    // Not all processes at once.
    this.#retry = setTimeout(() => this.#connect(), this.#retryIn * (0.5 + Math.random() / 2)).unref();
    this.#retryIn = Math.min(this.#retryIn * 2, LAST_RETRY);
  }

  async #beat(name: string): Promise<void> {
    if (this.#unanswered) {
      throw new StoreError('UNAVAILABLE', 'redisStore(): Redis has not answered the last heartbeat.');
    }
    this.#unanswered = true;
    try {
      await this.#options.beat(name);
    } finally {
      this.#unanswered = false;
    }
  }

  #tell(): void {
    this.#onOutcome.forEach(end => end());
  }
}

function denied(prefix: string): StoreError {
  return new StoreError(
    'DENIED',
    `redisStore(): local.push needs to be told of changed keys, but the server refuses that to this user. Grant it: ACL SETUSER <user> ~${prefix}:* &__redis__:invalidate +@write +@pubsub +@connection. Or leave local.push out.`,
  );
}
