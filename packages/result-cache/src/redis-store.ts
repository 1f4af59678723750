import { randomBytes } from 'node:crypto';
import { ByteCache } from './byte-cache.ts';
import { checkIntent } from './checked-intent.ts';
import { StoreError } from './errors.ts';
import { checkServer } from './redis/check-server.ts';
import type { RedisClient } from './redis/client.ts';
import { Commands } from './redis/commands.ts';
import { parseRegistry } from './redis/registry-text.ts';
import { ACQUIRE, BEGIN, CLOSE, OPEN, RELEASE, RENEW, VERSION } from './redis/scripts.ts';
import { type RedisStoreOptions, type RedisStoreSettings, resolveSettings } from './redis/store-settings.ts';
import { Wake } from './redis/wake.ts';
import { clientWarnings } from './redis/warnings.ts';
import { watchConnection } from './redis/watch.ts';
import type { BeginAsk, Begun, CacheStore, Found, Intent, ReadAsk, Registry } from './store.ts';

/**
 * A store that several processes share: in Redis (6 or later, or Valkey), over your own ioredis client, which stays yours
 * to close. A `Cluster` works as well.
 *
 * Trap: give it a client that fails soon (`enableOfflineQueue: false`, `maxRetriesPerRequest: 1`), see `warnings`.
 *
 * @throws {OptionsError} for what is no client of ioredis, a client that cannot be used, an unknown option or a wrong value
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): CacheStore {
  return new RedisStore(client, resolveSettings(client, options));
}

class RedisStore implements CacheStore {
  readonly name = 'redis';
  readonly shared = true;
  readonly warnings: readonly string[];
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #grace: number;
  readonly #commands: Commands;
  readonly #local: ByteCache | undefined;
  readonly #wake: Wake;
  readonly #watching = new Set<() => void>();
  /** The last registry seen, as text: most reads find the same. */
  #text = '';
  #registry: Registry | undefined;
  #closed = false;

  constructor(client: RedisClient, { prefix, localBytes, grace }: RedisStoreSettings) {
    this.warnings = clientWarnings(client);
    this.#client = client;
    this.#prefix = prefix;
    this.#grace = grace;
    this.#commands = new Commands(client, prefix);
    this.#local = localBytes > 0 ? new ByteCache(localBytes) : undefined;
    this.#wake = new Wake(client, `${prefix}:w`);
  }

  async check(): Promise<void> {
    this.#mustBeOpen();
    await checkServer(this.#commands, this.#prefix);
  }

  async read({ registry, key, tags, refresh }: ReadAsk): Promise<Found> {
    this.#mustBeOpen();
    const copy = refresh ? undefined : this.#local?.get(key, performance.now());
    const registryName = this.#key('e', registry);
    const entryName = this.#key('q', key);
    const tagNames = tags.map(tag => this.#key('t', tag));
    // Never the versions first: between them and the registry a writer might end, whose old versions would be seen, but
    // not its intent.
    const [text, ...rest] = await this.#commands.get(copy ? [registryName] : [registryName, entryName], tagNames);
    const entry = copy ?? rest.shift();
    if (copy === undefined) {
      this.#keep(key, entryName, entry);
    }
    return {
      registry: text && this.#parsed(text.toString()),
      versions: tags.map((_, index) => textOf(rest[index])),
      entry,
      local: copy !== undefined,
    };
  }

  async begin({ registry, tags, ttl }: BeginAsk): Promise<Begun> {
    this.#mustBeOpen();
    const made = nonce();
    const [begun, ...versions] = await this.#commands.runAll([
      { script: BEGIN, key: this.#key('e', registry), args: [made, this.#grace] },
      ...tags.map(tag => ({ script: VERSION, key: this.#key('t', tag), args: [made, milliseconds(ttl)] })),
    ]);
    const [text, now, settled] = begun as [string, string, number | string];
    return {
      registry: parseRegistry(text, Number(now))!,
      versions: versions.map(String),
      settled: Number(settled) === 1,
    };
  }

  async fill(key: string, entry: Uint8Array, ttl: number): Promise<void> {
    this.#mustBeOpen();
    if (!(ttl > 0)) {
      return;
    }
    const until = performance.now() + ttl;
    const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
    await this.#commands.send('set', this.#key('q', key), bytes, 'px', milliseconds(ttl));
    this.#local?.set(key, entry, until);
  }

  async remove(keys: readonly string[]): Promise<void> {
    this.#mustBeOpen();
    const dropCopies = (): void => keys.forEach(key => this.#local?.delete(key));
    dropCopies();
    const names = keys.map(key => this.#key('q', key));
    if (this.#client.isCluster) {
      await Promise.all(names.map(name => this.#commands.send('unlink', name)));
    } else if (names.length > 0) {
      await this.#commands.send('unlink', ...names);
    }
    // Again, for what was read before and kept meanwhile.
    dropCopies();
  }

  async open(registry: string, intent: Intent): Promise<void> {
    this.#mustBeOpen();
    checkIntent(intent);
    await this.#commands.run({
      script: OPEN,
      key: this.#key('e', registry),
      args: [nonce(), intent.id, milliseconds(intent.ttl), intent.tags.join(',')],
    });
  }

  async close(registry: string, id: string, tags: readonly string[]): Promise<boolean> {
    this.#mustBeOpen();
    const found = await this.#commands.unlinkThenRun(
      tags.map(tag => this.#key('t', tag)),
      { script: CLOSE, key: this.#key('e', registry), args: [id] },
    );
    return Number(found) === 1;
  }

  async cancel(registry: string, id: string): Promise<void> {
    this.#mustBeOpen();
    await this.#commands.run({ script: CLOSE, key: this.#key('e', registry), args: [id] });
  }

  async renew(registry: string): Promise<void> {
    this.#mustBeOpen();
    await this.#commands.run({ script: RENEW, key: this.#key('e', registry), args: [nonce()] });
  }

  async acquire(key: string, owner: string, ttl: number): Promise<boolean> {
    this.#mustBeOpen();
    const lease = { script: ACQUIRE, key: this.#key('l', key), args: [owner, milliseconds(ttl)] };
    return Number(await this.#commands.run(lease)) === 1;
  }

  async release(key: string, owner: string): Promise<void> {
    this.#mustBeOpen();
    const lease = { script: RELEASE, key: this.#key('l', key), args: [owner, `${this.#prefix}:w`, key] };
    if (Number(await this.#commands.run(lease)) === 1) {
      this.#wake.wake(key);
    }
  }

  async wait(key: string, timeout: number): Promise<void> {
    await this.#wake.wait(key, timeout, async () => {
      try {
        return Number(await this.#commands.send('pttl', this.#key('l', key)));
      } catch {
        return undefined;
      }
    });
  }

  watch(onLost: () => void): () => void {
    const stop = watchConnection(this.#client, onLost);
    this.#watching.add(stop);
    return () => {
      this.#watching.delete(stop);
      stop();
    };
  }

  size(): { readonly bytes: number; readonly entries: number } {
    return { bytes: this.#local?.bytes ?? 0, entries: this.#local?.entries ?? 0 };
  }

  async dispose(): Promise<void> {
    this.#closed = true;
    this.#watching.forEach(stop => stop());
    this.#watching.clear();
    this.#local?.clear();
    this.#wake.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) {
      throw new StoreError('CLOSED', 'redisStore() was disposed of. Make a new one; the client is still open.');
    }
  }

  /** Entries are `q`, versions `t`, registries `e`, leases `l`. */
  #key(kind: 'e' | 'l' | 'q' | 't', name: string): string {
    return `${this.#prefix}:${kind}:${name}`;
  }

  #parsed(text: string): Registry | undefined {
    if (text !== this.#text) {
      this.#registry = parseRegistry(text);
      this.#text = text;
    }
    return this.#registry;
  }

  /** Keeps a copy of what was read, for as long as Redis does: asked when it is found, while nobody waits. */
  #keep(key: string, entryName: string, entry: Uint8Array | undefined): void {
    const local = this.#local;
    if (local === undefined) {
      return;
    }
    local.delete(key);
    if (entry === undefined) {
      return;
    }
    const asked = performance.now();
    this.#commands.send('pttl', entryName).then(
      left => {
        if (Number(left) > 0 && !this.#closed) {
          local.set(key, entry, asked + Number(left));
        }
      },
      () => {},
    );
  }
}

/** 72 bits: what stands for the rows of a tag, or for the whole cache, until the next write. */
function nonce(): string {
  return randomBytes(9).toString('base64url');
}

/** As Redis takes it. 285 years are enough for Infinity. */
function milliseconds(ttl: number): number {
  return Math.min(Math.max(1, Math.ceil(ttl)), 2 ** 43);
}

function textOf(value: Buffer | undefined): string | undefined {
  return value === undefined || value.length === 0 ? undefined : value.toString();
}
