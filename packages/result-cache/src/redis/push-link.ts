import { randomUUID } from 'node:crypto';
import type { StoreError } from '../errors.ts';
import type { RedisClient } from './client.ts';
import { toStoreError } from './redis-error.ts';

/** Where a server tells which keys have changed. */
const INVALIDATED = '__redis__:invalidate';

/** For how long two connections may take to be made, in ms. Nobody waits for them. */
const SETUP = 5_000;

/** What a link tells. */
export interface LinkListener {
  /** These keys have changed; without names: all may have. */
  changed(names?: readonly string[]): void;
  /** All that had changed by then, in ms of `performance.now()`, has been told. */
  confirmed(at: number): void;
  /** Nothing will be told any more. */
  ended(reason?: StoreError): void;
}

/** What a link needs. */
export interface LinkOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** How soon a heartbeat has to be back, in ms. */
  readonly timeout: number;
  /** Changes a key, over the connection that the store writes and reads on. */
  beat(name: string): Promise<unknown>;
}

/**
 * Has a server tell of changed registries and versions (Redis, Client-side caching reference: broadcasting mode, two
 * connections). Lives as long as both of its connections do; it is not mended but replaced, so that no news can have been
 * lost within one.
 *
 * - Of one connection, which subscribes, ioredis reports messages only in protocol 2; the other one asks for them. Neither
 *   is the user's, which may have uses of its own for tracking.
 * - A connection may be dead without anybody knowing. So a key is changed again and again, through the user's connection,
 *   and its news must come back in time: that shows that all three connections are alive, that the tracking is on, and
 *   that they lead to the same server (which they might not after a failover).
 */
export class PushLink {
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  /** Its own, so that no other process is told of its heartbeats. Redis goes by the alphabet: after `e` and `t`. */
  readonly #beats: string;
  readonly #connections: RedisClient[] = [];
  #count = 0;
  #beat = { name: '', at: 0 };
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: LinkOptions, listener: LinkListener) {
    this.#options = options;
    this.#listener = listener;
    this.#beats = `${options.prefix}:x:${randomUUID()}:`;
    this.#within(SETUP);
    void this.#setUp();
  }

  end(reason?: StoreError): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#connections.forEach(connection => connection.disconnect());
    this.#listener.ended(reason);
  }

  async #setUp(): Promise<void> {
    const { prefix } = this.#options;
    try {
      const subscriber = this.#connect();
      subscriber.on('messageBuffer', (channel, names) => {
        if (String(channel) === INVALIDATED) {
          this.#hear(names);
        }
      });
      const tracker = this.#connect();
      const id = Number(await subscriber.call('client', ['id']));
      await subscriber.call('subscribe', [INVALIDATED]);
      const prefixes = [`${prefix}:e:`, `${prefix}:t:`, this.#beats].flatMap(each => ['prefix', each]);
      // Without NOLOOP: what this process changes is told as well, which costs a question more and leaves nothing to prove.
      await tracker.call('client', ['tracking', 'on', 'redirect', id, 'bcast', ...prefixes]);
      await this.#send();
    } catch (error) {
      this.end(toStoreError(error, prefix));
    }
  }

  #connect(): RedisClient {
    const { client } = this.#options;
    const made = (client as unknown as { duplicate(options: object): RedisClient }).duplicate(ONCE);
    this.#connections.push(made);
    // Without a listener ioredis prints each lost connection.
    made.on('error', () => {});
    made.on('close', () => this.end());
    made.on('end', () => this.end());
    return made;
  }

  #hear(names: unknown): void {
    if (this.#ended) {
      return;
    }
    // FLUSHALL, FLUSHDB.
    if (!Array.isArray(names)) {
      this.#listener.changed();
      return;
    }
    const texts = names.map(String);
    this.#listener.changed(texts);
    if (texts.includes(this.#beat.name)) {
      const { at } = this.#beat;
      this.#beat = { name: '', at: 0 };
      this.#listener.confirmed(at);
      this.#later(at + this.#options.timeout / 2 - performance.now());
    }
  }

  async #send(): Promise<void> {
    if (this.#ended) {
      return;
    }
    const name = `${this.#beats}${++this.#count}`;
    this.#beat = { name, at: performance.now() };
    this.#within(this.#options.timeout);
    try {
      await this.#options.beat(name);
    } catch (error) {
      this.end(toStoreError(error, this.#options.prefix));
    }
  }

  #later(delay: number): void {
    clearTimeout(this.#timer);
    if (!this.#ended) {
      this.#timer = setTimeout(() => void this.#send(), Math.max(0, delay)).unref();
    }
  }

  /** Ends unless something happens before. */
  #within(timeout: number): void {
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      // After a long synchronous piece of work timers come before the sockets: what has already arrived is read first.
      setImmediate(() => {
        if (this.#timer === timer) {
          this.end();
        }
      });
    }, timeout).unref();
    this.#timer = timer;
  }
}

/** Connects once, and never again by itself. */
const ONCE = {
  protocol: 2,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  lazyConnect: false,
  autoResubscribe: false,
  retryStrategy: () => null,
  reconnectOnError: null,
};
