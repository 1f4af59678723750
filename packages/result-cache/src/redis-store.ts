import { randomBytes } from 'node:crypto';
import { ByteCache } from './byte-cache.ts';
import { checkIntent } from './checked-intent.ts';
import { StoreError } from './errors.ts';
import { checkServer } from './redis/check-server.ts';
import type { RedisClient } from './redis/client.ts';
import { Commands } from './redis/commands.ts';
import { Push } from './redis/push.ts';
import { parseRegistry } from './redis/registry-text.ts';
import { ACQUIRE, BEGIN, CLOSE, OPEN, RELEASE, RENEW, VERSION } from './redis/scripts.ts';
import { type RedisStoreOptions, type RedisStoreSettings, resolveSettings } from './redis/store-settings.ts';
import { Wake } from './redis/wake.ts';
import { clientWarnings } from './redis/warnings.ts';
import { watchConnection } from './redis/watch.ts';
import type { BeginAsk, Begun, CacheStore, Found, Intent, ReadAsk, Registry } from './store.ts';

/** How much of the memory for copies what is known of registries and versions may take. */
const PUSH_SHARE = 1 / 8;

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
  readonly #push: Push | undefined;
  readonly #wake: Wake;
  readonly #watching = new Set<() => void>();
  /** The last registry seen, as text: most reads find the same. */
  #text = '';
  #registry: Registry | undefined;
  #closed = false;

  constructor(client: RedisClient, { prefix, localBytes, pushTimeout, grace }: RedisStoreSettings) {
    this.warnings = clientWarnings(client);
    this.#client = client;
    this.#prefix = prefix;
    this.#grace = grace;
    this.#commands = new Commands(client, prefix);
    const pushBytes = pushTimeout === undefined ? 0 : Math.ceil(localBytes * PUSH_SHARE);
    this.#local = localBytes > 0 ? new ByteCache(Math.max(1, localBytes - pushBytes)) : undefined;
    this.#push =
      pushTimeout === undefined
        ? undefined
        : new Push({
            client,
            prefix,
            timeout: pushTimeout,
            maxBytes: pushBytes,
            beat: name => this.#commands.send('set', name, '', 'px', Math.ceil(pushTimeout)),
          });
    this.#wake = new Wake(client, `${prefix}:w`);
  }

  async check(): Promise<void> {
    this.#mustBeOpen();
    await checkServer(this.#commands, this.#prefix);
    await this.#push?.check();
  }

  async read({ registry, key, tags, refresh }: ReadAsk): Promise<Found> {
    this.#mustBeOpen();
    const copy = refresh ? undefined : this.#local?.get(key, performance.now());
    // Never the versions first: between them and the registry a writer might end, whose old versions would be seen, but
    // not its intent.
    const names = this.#names(registry, tags);
    const known = copy && this.#push?.get(names);
    if (known !== undefined) {
      return this.#found(known, copy, true);
    }
    const entryName = this.#key('q', key);
    const ask = (): Promise<readonly [texts: readonly string[], entry: Buffer | undefined]> =>
      this.#ask(names, copy ? undefined : entryName);
    const [texts, entry] = await (this.#push ? this.#push.ask(names, ask, ([values]) => values) : ask());
    if (copy === undefined) {
      this.#keep(key, entryName, entry);
    }
    return this.#found(texts, copy ?? entry, copy !== undefined);
  }

  async begin({ registry, tags, ttl }: BeginAsk): Promise<Begun> {
    this.#mustBeOpen();
    const made = nonce();
    const names = this.#names(registry, tags);
    const [registryName, ...tagNames] = names;
    const run = (): Promise<unknown[]> =>
      this.#commands.runAll([
        { script: BEGIN, key: registryName, args: [made, this.#grace] },
        ...tagNames.map(name => ({ script: VERSION, key: name, args: [made, milliseconds(ttl)] })),
      ]);
    const [begun, ...versions] = await (this.#push
      ? this.#push.make(names, run, ([first, ...others]) => [(first as [string])[0], ...others.map(String)])
      : run());
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
    const [name] = this.#names(registry);
    const args = [nonce(), intent.id, milliseconds(intent.ttl), intent.tags.join(',')];
    await this.#change([name], () => this.#commands.run({ script: OPEN, key: name, args }));
  }

  async close(registry: string, id: string, tags: readonly string[]): Promise<boolean> {
    this.#mustBeOpen();
    const names = this.#names(registry, tags);
    const [name, ...tagNames] = names;
    const close = { script: CLOSE, key: name, args: [id] };
    const found = await this.#change(names, () => this.#commands.unlinkThenRun(tagNames, close));
    return Number(found) === 1;
  }

  async cancel(registry: string, id: string): Promise<void> {
    this.#mustBeOpen();
    const [name] = this.#names(registry);
    await this.#change([name], () => this.#commands.run({ script: CLOSE, key: name, args: [id] }));
  }

  async renew(registry: string): Promise<void> {
    this.#mustBeOpen();
    const [name] = this.#names(registry);
    await this.#change([name], () => this.#commands.run({ script: RENEW, key: name, args: [nonce()] }));
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
    const { bytes = 0, entries = 0 } = this.#local ?? {};
    return { bytes: bytes + (this.#push?.bytes ?? 0), entries };
  }

  async dispose(): Promise<void> {
    this.#closed = true;
    this.#watching.forEach(stop => stop());
    this.#watching.clear();
    this.#local?.clear();
    this.#push?.close();
    this.#wake.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) {
      throw new StoreError('CLOSED', 'redisStore() was disposed of. Make a new one; the client is still open.');
    }
  }

  /** The keys that decide whether an entry is current, the registry's first. */
  #names(registry: string, tags: readonly string[] = []): readonly [registry: string, ...tags: string[]] {
    return [this.#key('e', registry), ...tags.map(tag => this.#key('t', tag))];
  }

  /** What is under `names`, `''` where there is nothing; and the entry, if it is named. */
  async #ask(
    [registryName, ...tagNames]: readonly [string, ...string[]],
    entryName: string | undefined,
  ): Promise<readonly [texts: readonly string[], entry: Buffer | undefined]> {
    const first = entryName === undefined ? [registryName] : [registryName, entryName];
    const [text, ...rest] = await this.#commands.get(first, tagNames);
    const entry = entryName === undefined ? undefined : rest.shift();
    return [[text, ...rest].map(value => value?.toString() ?? ''), entry];
  }

  #found([text, ...versions]: readonly string[], entry: Uint8Array | undefined, local: boolean): Found {
    return {
      registry: text ? this.#parsed(text) : undefined,
      versions: versions.map(version => version || undefined),
      entry,
      local,
    };
  }

  /** Sends what changes these keys. */
  #change<T>(names: readonly string[], send: () => Promise<T>): Promise<T> {
    return this.#push ? this.#push.change(names, send) : send();
  }

  /** Entries are `q`, versions `t`, registries `e`, leases `l`; what is not kept `p`, `w` (a channel) and `x`. */
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
