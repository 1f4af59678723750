import { StoreError } from './errors.ts';
import type { Begun, BeginAsk, CacheStore, Found, Intent, ReadAsk } from './store.ts';

/** What {@link GuardedStore} tells of. */
export interface GuardListener {
  /** An operation failed, or did not end in time. */
  failed(operation: string, error: unknown): void;
  /** After a failure, every entry was made invalid. */
  recovered(): void;
}

/**
 * A store that never makes a query wait for long: what does not end in time has failed, and a store that has failed is
 * left alone (circuit breaker: M. Nygard, Release It!, 2007) until a probe in the background succeeds. As writes may have
 * been missed meanwhile, by this process or between its connection and the server, the probe renews the epoch before
 * anybody reads again.
 */
export class GuardedStore {
  readonly store: CacheStore;
  readonly #timeout: number;
  readonly #retryAfter: number;
  readonly #listener: GuardListener;
  readonly #registries = new Set<string>();
  #open = false;
  #retryAt = 0;
  #probing: Promise<void> | undefined;
  #checked: Promise<void> | undefined;
  #isChecked = false;
  /** Never works as it is set up: told to every caller. */
  #refusal: StoreError | undefined;
  /** What has worked once may work again: a changed password is an outage, not a mistake in the set-up. */
  #hasWorked = false;
  readonly #unwatch: (() => void) | undefined;
  #disposed = false;
  /** Intents of writes that are over. Everything that they could be about is invalid once the epoch is renewed. */
  #abandoned: { readonly registry: string; readonly id: string }[] = [];
  /** Counts the times that the store may have lost something. */
  #losses = 0;
  /** Counts what a renewal of the epoch has to follow: what comes while one is under way asks for another. */
  #trips = 0;
  /** A probe has worked, but has to be made again. */
  #answers = false;

  constructor(store: CacheStore, options: { timeout: number; retryAfter: number }, listener: GuardListener) {
    this.store = store;
    this.#timeout = options.timeout;
    this.#retryAfter = options.retryAfter;
    this.#listener = listener;
    this.#unwatch = store.watch?.(() => {
      // A new connection may lead to another server, or to one that has lost its last writes.
      this.#losses += 1;
      this.#trips += 1;
      this.#answers = false;
      this.#open = true;
      this.#retryAt = 0;
      this.#probe();
    });
  }

  /**
   * Whether the store may be asked now. Starts a probe when it is time for one.
   *
   * @throws {StoreError} `READ_ONLY` or `DENIED`: it can never work as it is set up
   */
  get available(): boolean {
    if (this.#refusal !== undefined) {
      throw this.#refusal;
    }
    if (this.#open && performance.now() >= this.#retryAt) {
      this.#probe();
    }
    return !this.#open && !this.#disposed;
  }

  /**
   * Whether the store may be told of writes now. Sooner than {@link available}: if those that come while it is probed could
   * not be told either, each would ask for one more probe, and under a steady load of writes none would be the last.
   */
  get listens(): boolean {
    return this.available || (this.#answers && !this.#disposed);
  }

  /** Names a registry that has to be renewed after a failure. */
  uses(registry: string): void {
    this.#registries.add(registry);
  }

  /** Whether `ready()` has nothing more to find out. */
  get isReady(): boolean {
    return this.#isChecked && this.#refusal === undefined;
  }

  /** Resolves when the store was found to work, or not to answer. @throws {StoreError} if it can never work */
  async ready(): Promise<void> {
    this.#checked ??= this.#check();
    await this.#checked;
    this.#isChecked = true;
    if (this.#refusal !== undefined) {
      throw this.#refusal;
    }
  }

  /**
   * To be called when the store has not been told of a write, or not of its end.
   *
   * @param id of its intent, which may arrive late and then be open for nothing
   */
  missed(registry: string, id: string): void {
    this.#abandoned.push({ registry, id });
    this.#trip();
  }

  read(ask: ReadAsk): Promise<Found> {
    return this.#guarded('read', async () => {
      const { store } = this;
      const losses = this.#losses;
      const found = await store.read(ask);
      if (losses !== this.#losses) {
        // Answered over a new connection, by a server that has not been told yet to forget what it had.
        throw new StoreError('UNAVAILABLE', `The connection of the ${store.name} store was lost while it was read.`);
      }
      return found;
    });
  }

  begin(ask: BeginAsk): Promise<Begun> {
    return this.#guarded('begin', () => this.store.begin(ask));
  }

  fill(key: string, entry: Uint8Array, ttl: number): Promise<void> {
    return this.#guarded('fill', () => this.store.fill(key, entry, ttl));
  }

  open(registry: string, intent: Intent): Promise<void> {
    return this.#guarded('open', () => this.store.open(registry, intent));
  }

  close(registry: string, id: string, tags: readonly string[]): Promise<boolean> {
    return this.#guarded('close', () => this.store.close(registry, id, tags));
  }

  cancel(registry: string, id: string): Promise<void> {
    return this.#guarded('cancel', () => this.store.cancel(registry, id));
  }

  renew(registry: string): Promise<void> {
    return this.#guarded('renew', () => this.store.renew(registry));
  }

  acquire(key: string, owner: string, ttl: number): Promise<boolean> {
    return this.#guarded('acquire', () => this.store.acquire(key, owner, ttl));
  }

  release(key: string, owner: string): Promise<void> {
    return this.#guarded('release', () => this.store.release(key, owner));
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#unwatch?.();
    await this.#probing;
    await this.store.dispose();
  }

  async #check(): Promise<void> {
    try {
      await this.#inTime(this.store.check?.() ?? Promise.resolve(), CHECK_TIMEOUT);
      this.#hasWorked = true;
    } catch (error) {
      this.#failed('check', error);
    }
  }

  async #guarded<T>(operation: string, run: () => Promise<T>): Promise<T> {
    try {
      // In this process it takes no time worth a timer.
      return await (this.store.shared ? this.#inTime(run(), this.#timeout) : run());
    } catch (error) {
      this.#failed(operation, error);
      throw error;
    }
  }

  #failed(operation: string, error: unknown): void {
    this.#listener.failed(operation, error);
    if (isRefusal(error) && !this.#hasWorked) {
      this.#refusal = error;
    } else {
      this.#answers = false;
      this.#trip();
    }
  }

  #trip(): void {
    this.#trips += 1;
    // One that is left alone already is not left alone for longer: writes that miss it all the time would put its probe off for ever.
    if (!this.#open) {
      this.#open = true;
      this.#retryAt = performance.now() + this.#retryAfter;
    }
  }

  /** Makes every entry invalid, and lets reads in again if that worked. */
  #probe(): void {
    if (this.#probing !== undefined || this.#disposed) {
      return;
    }
    this.#retryAt = performance.now() + this.#retryAfter;
    this.#probing = this.#renewAll().then(isOver => {
      this.#probing = undefined;
      if (!isOver) {
        this.#probe();
      }
    });
  }

  /** @returns false if it is to be done again at once */
  async #renewAll(): Promise<boolean> {
    // Before the renewal, as it only makes invalid what was filled before it.
    const trips = this.#trips;
    const abandoned = this.#abandoned;
    this.#abandoned = [];
    try {
      await this.#inTime(this.store.check?.() ?? Promise.resolve(), PROBE_TIMEOUT);
      for (const registry of this.#registries) {
        await this.#inTime(this.store.renew(registry), PROBE_TIMEOUT);
      }
      await this.#inTime(
        Promise.all(abandoned.map(({ registry, id }) => this.store.cancel(registry, id))),
        PROBE_TIMEOUT,
      );
      this.#hasWorked = true;
      if (trips !== this.#trips) {
        this.#answers = true;
        this.#retryAt = 0;
        return false;
      }
      this.#answers = false;
      this.#open = false;
      this.#listener.recovered();
    } catch (error) {
      this.#abandoned = [...abandoned, ...this.#abandoned];
      this.#answers = false;
      if (isRefusal(error) && !this.#hasWorked) {
        this.#refusal = error;
      }
      this.#listener.failed('probe', error);
      this.#retryAt = performance.now() + this.#retryAfter;
    }
    return true;
  }

  async #inTime<T>(promise: Promise<T>, timeout: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // After a long synchronous piece of work (hydrating thousands of rows) timers come before the sockets: what has
        // already arrived is read first.
        setImmediate(() =>
          reject(new StoreError('UNAVAILABLE', `The ${this.store.name} store did not answer within ${timeout} ms.`)),
        );
      }, timeout);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Nobody waits for a probe, and a first connection may have to be made. */
const PROBE_TIMEOUT = 2_000;
/** The first call waits for it, once. */
const CHECK_TIMEOUT = 500;

function isRefusal(error: unknown): error is StoreError {
  return error instanceof StoreError && (error.code === 'READ_ONLY' || error.code === 'DENIED');
}
