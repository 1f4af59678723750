import { LRUCache } from 'lru-cache';
import { ByteCache } from './byte-cache.ts';
import { checkIntent } from './checked-intent.ts';
import { StoreError } from './errors.ts';
import type { BeginAsk, Begun, CacheStore, Found, Intent, ReadAsk, Registry } from './store.ts';
import { checkedBytes, checkNames, checkObject } from './store-options.ts';
import { Waiters } from './waiters.ts';

/** Options of `memoryStore()`. */
export interface MemoryStoreOptions {
  /**
   * How much memory it takes at most, in bytes, entries' own overhead included; what was not used for longest goes first.
   *
   * Trap: a single entry that is larger is not kept.
   *
   * @default 67108864 (64 MiB)
   */
  maxBytes?: number | undefined;
}

/** Time for {@link memoryStore}: monotonic, in ms. */
export interface StoreClock {
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const DEFAULT_BYTES = 64 * 1024 * 1024;

/**
 * A store in this process's memory, for applications that run as one process.
 *
 * Trap: two processes with a memory store each do not see each other's writes: use `redisStore(client)`.
 *
 * @param clock for tests
 * @throws {OptionsError} for an unknown option or a wrong value
 */
export function memoryStore(options: MemoryStoreOptions = {}, clock: StoreClock = systemClock): CacheStore {
  checkObject('memoryStore(options)', 'options', options, 'Remove the argument for the defaults.');
  checkNames('memoryStore()', '', options, ['maxBytes']);
  return new MemoryStore(checkedBytes('memoryStore({ maxBytes })', 'maxBytes', options.maxBytes, DEFAULT_BYTES), clock);
}

const systemClock: StoreClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout),
};

/** Two short strings, and a place in a Map and in lru-cache's arrays; measured as {@link ENTRY_OVERHEAD} is. */
export const VERSION_OVERHEAD = 185;

interface OpenRegistry {
  epoch: string;
  readonly intents: Map<string, { readonly tags: readonly string[]; readonly until: number }>;
}

interface Lease {
  readonly owner: string;
  readonly until: number;
}

class MemoryStore implements CacheStore {
  readonly name = 'memory';
  readonly shared = false;
  readonly #clock: StoreClock;
  readonly #maxBytes: number;
  readonly #entries: ByteCache;
  /** May lose any: a tag without a version only makes entries invalid. Registries and intents are never lost. */
  readonly #versions: LRUCache<string, string>;
  readonly #registries = new Map<string, OpenRegistry>();
  readonly #leases = new Map<string, Lease>();
  readonly #waiters = new Waiters();
  #sweepLeasesAt = FEW_LEASES;
  /** Never given twice, so that a version that was lost cannot come back. */
  #nonces = 0;
  #closed = false;

  constructor(maxBytes: number, clock: StoreClock) {
    this.#maxBytes = maxBytes;
    this.#clock = clock;
    this.#entries = new ByteCache(maxBytes);
    this.#versions = new LRUCache<string, string>({
      maxSize: Math.max(1, Math.floor(maxBytes / 8)),
      sizeCalculation: (version, tag) => version.length + tag.length + VERSION_OVERHEAD,
    });
  }

  async read({ registry, key, tags }: ReadAsk): Promise<Found> {
    this.#mustBeOpen();
    const open = this.#registries.get(registry);
    return {
      registry: open && this.#seen(open),
      versions: tags.map(tag => this.#versions.get(tag)),
      entry: this.#entries.get(key, this.#clock.now()),
      local: false,
    };
  }

  async begin({ registry, tags }: BeginAsk): Promise<Begun> {
    this.#mustBeOpen();
    const open = this.#opened(registry);
    const versions = tags.map(tag => {
      const known = this.#versions.get(tag);
      if (known !== undefined) {
        return known;
      }
      const made = this.#nonce();
      this.#versions.set(tag, made);
      return made;
    });
    this.#makeRoom();
    return { registry: this.#seen(open), versions, settled: true };
  }

  async fill(key: string, entry: Uint8Array, ttl: number): Promise<void> {
    this.#mustBeOpen();
    if (ttl > 0) {
      this.#entries.set(key, entry, this.#clock.now() + ttl);
      this.#makeRoom();
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    this.#mustBeOpen();
    keys.forEach(key => this.#entries.delete(key));
  }

  async open(registry: string, intent: Intent): Promise<void> {
    this.#mustBeOpen();
    checkIntent(intent);
    this.#opened(registry).intents.set(intent.id, { tags: [...intent.tags], until: this.#clock.now() + intent.ttl });
  }

  async close(registry: string, id: string, tags: readonly string[]): Promise<boolean> {
    this.#mustBeOpen();
    tags.forEach(tag => this.#versions.delete(tag));
    return this.#registries.get(registry)?.intents.delete(id) ?? false;
  }

  async cancel(registry: string, id: string): Promise<void> {
    this.#mustBeOpen();
    this.#registries.get(registry)?.intents.delete(id);
  }

  async renew(registry: string): Promise<void> {
    this.#mustBeOpen();
    this.#opened(registry).epoch = this.#nonce();
  }

  async acquire(key: string, owner: string, ttl: number): Promise<boolean> {
    this.#mustBeOpen();
    const now = this.#clock.now();
    const held = this.#leases.get(key);
    if (held !== undefined && held.until > now && held.owner !== owner) {
      return false;
    }
    this.#leases.set(key, { owner, until: now + ttl });
    this.#sweepLeases(now);
    return true;
  }

  async release(key: string, owner: string): Promise<void> {
    this.#mustBeOpen();
    if (this.#leases.get(key)?.owner === owner) {
      this.#leases.delete(key);
      this.#waiters.wake(key);
    }
  }

  async wait(key: string, timeout: number): Promise<void> {
    const left = (this.#leases.get(key)?.until ?? 0) - this.#clock.now();
    if (this.#closed || left <= 0) {
      return;
    }
    await new Promise<void>(resolve => {
      const end = (): void => {
        stop();
        this.#clock.clearTimeout(timer);
        resolve();
      };
      const stop = this.#waiters.add(key, end);
      const timer = this.#clock.setTimeout(end, Math.min(timeout, left));
    });
  }

  size(): { readonly bytes: number; readonly entries: number } {
    return { bytes: this.#entries.bytes + this.#versions.calculatedSize, entries: this.#entries.entries };
  }

  async dispose(): Promise<void> {
    this.#closed = true;
    this.#entries.clear();
    this.#versions.clear();
    this.#registries.clear();
    this.#leases.clear();
    this.#waiters.wakeAll();
  }

  #mustBeOpen(): void {
    if (this.#closed) {
      throw new StoreError('CLOSED', 'memoryStore() was disposed of. Make a new one.');
    }
  }

  #opened(registry: string): OpenRegistry {
    let open = this.#registries.get(registry);
    if (open === undefined) {
      open = { epoch: this.#nonce(), intents: new Map() };
      this.#registries.set(registry, open);
    }
    return open;
  }

  #seen({ epoch, intents }: OpenRegistry): Registry {
    const now = this.#clock.now();
    return { epoch, intents: Array.from(intents, ([id, { tags, until }]) => ({ id, tags, expired: until <= now })) };
  }

  #nonce(): string {
    return (++this.#nonces).toString(36);
  }

  /** Entries and versions share the limit; versions have at most an eighth of it. */
  #makeRoom(): void {
    this.#entries.shrink(this.#maxBytes - this.#versions.calculatedSize);
  }

  /** Leases whose owners never came back, now and then: as often as their number doubles. */
  #sweepLeases(now: number): void {
    if (this.#leases.size < this.#sweepLeasesAt) {
      return;
    }
    this.#leases.forEach((lease, key) => {
      if (lease.until <= now) {
        this.#leases.delete(key);
      }
    });
    this.#sweepLeasesAt = Math.max(FEW_LEASES, 2 * this.#leases.size);
  }
}

const FEW_LEASES = 1_000;
