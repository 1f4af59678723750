import { Waiters } from '../waiters.ts';
import type { RedisClient } from './client.ts';

/** How soon a lease is looked at again by those who are not told of its end, in ms. */
const POLL = 50;
/** The same when they should be told: a message may be lost along with a connection. */
const POLL_WHEN_LISTENING = 250;

/**
 * Waits for leases to end: told over pub/sub by who gives one up, on a connection of its own that is made when first
 * needed, and by looking. Without that connection there is only the looking.
 */
export class Wake {
  readonly #client: RedisClient;
  readonly #channel: string;
  readonly #waiters = new Waiters();
  #subscriber: RedisClient | undefined;
  #listening = false;
  #closed = false;

  constructor(client: RedisClient, channel: string) {
    this.#client = client;
    this.#channel = channel;
  }

  wake(key: string): void {
    this.#waiters.wake(key);
  }

  /** @param left what is left of the lease in ms; not above 0 when there is none; `undefined` when that cannot be told */
  async wait(key: string, timeout: number, left: () => Promise<number | undefined>): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#listen();
    await new Promise<void>(resolve => {
      let next: NodeJS.Timeout | undefined;
      let ended = false;
      const end = (): void => {
        ended = true;
        stop();
        clearTimeout(next);
        clearTimeout(atLast);
        resolve();
      };
      const stop = this.#waiters.add(key, end);
      const atLast = setTimeout(end, timeout);
      const look = async (): Promise<void> => {
        const rest = await left();
        if (ended) {
          return;
        }
        if (rest !== undefined && rest < 0) {
          end();
          return;
        }
        next = setTimeout(
          () => void look(),
          Math.min((rest ?? POLL) + 1, this.#listening ? POLL_WHEN_LISTENING : POLL),
        );
      };
      void look();
    });
  }

  close(): void {
    this.#closed = true;
    this.#listening = false;
    this.#subscriber?.disconnect();
    this.#waiters.wakeAll();
  }

  #listen(): void {
    if (this.#subscriber !== undefined) {
      return;
    }
    const subscriber = duplicate(this.#client);
    this.#subscriber = subscriber;
    // Without a listener ioredis prints each lost connection.
    subscriber.on('error', () => {});
    subscriber.on('message', (_channel, key) => this.#waiters.wake(String(key)));
    subscriber.on('close', () => void (this.#listening = false));
    subscriber.on('ready', () => void this.#subscribe(subscriber));
  }

  async #subscribe(subscriber: RedisClient): Promise<void> {
    try {
      await subscriber.call('subscribe', [this.#channel]);
      this.#listening = !this.#closed;
    } catch {
      this.#listening = false;
    }
  }
}

/** For subscribing only: it may wait for its server as long as it likes. */
const PATIENT = {
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  lazyConnect: false,
  // On each connection it subscribes itself, to know from when on it is told.
  autoResubscribe: false,
};

function duplicate(client: RedisClient): RedisClient {
  const made = client as unknown as { duplicate(...args: unknown[]): RedisClient };
  return client.isCluster
    ? made.duplicate([], { enableOfflineQueue: true, lazyConnect: false })
    : made.duplicate(PATIENT);
}
