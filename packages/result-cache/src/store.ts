/**
 * What a store keeps for the cache: entries, versions of tags, and one registry. The cache decides what they mean; a store
 * knows nothing of SQL, entities or expiry policies. `@mikrokit/result-cache/conformance` checks an implementation.
 *
 * The protocol (README, "How it stays fresh"), in the words used here:
 * - A **tag** is a short string that stands for rows an entry was read from. Its **version** is an opaque nonce, made by the
 *   first reader that finds none. A tag without a version makes every entry that carries it invalid, so a store may lose
 *   one at any time.
 * - The **registry** is one small value: the **epoch**, a nonce that every entry carries, and the open **intents**: writers
 *   that are about to commit, with the tags they change. Losing it makes every entry invalid.
 * - A reader takes epoch and versions *before* it reads the database, and stores them with the rows. An entry is a hit if
 *   they are still the same and no open intent names one of its tags.
 * - A writer opens an intent, commits, and then closes it: the versions go first, the intent after them.
 *
 * Every method may reject; the cache then answers from the database. None may throw synchronously. Times are in ms, on a
 * clock that all users of the store share (the server's, not the client's).
 */
export interface CacheStore {
  /** For messages and statistics, e.g. `redis`. */
  readonly name: string;
  /** Whether other processes use the same data. One that is not shared belongs to one process and needs no leases. */
  readonly shared: boolean;
  /** What is amiss with its set-up though it works, one sentence each; told once, when the cache starts. */
  readonly warnings?: readonly string[] | undefined;

  /**
   * Called before the first use. Rejects with a {@link StoreError} if the store can never work as it is set up: a read-only
   * server, a missing permission. Anything that may pass (a server that is down) is not reported here.
   */
  check?(): Promise<void>;

  /** Registry, one entry and the versions of its tags, in one round trip. Changes nothing. */
  read(ask: ReadAsk): Promise<Found>;

  /**
   * Before a fill: makes the registry and the versions that are not there, and lets the tags live for at least `ttl` more.
   * Resolves with what a reader has to store with the rows it reads *after* this.
   */
  begin(ask: BeginAsk): Promise<Begun>;

  /** Puts an entry, for at most `ttl`. A value that is too large may be left out. */
  fill(key: string, entry: Uint8Array, ttl: number): Promise<void>;

  /** Drops entries, whether they are there or not. */
  remove(keys: readonly string[]): Promise<void>;

  /**
   * Opens an intent for `ttl` from now; the same `id` again extends it, and opens it anew if it was lost. When this
   * resolves, no reader that begins a read afterwards misses it.
   */
  open(registry: string, intent: Intent): Promise<void>;

  /**
   * Drops the versions of `tags` and, strictly after that, the intent. @returns whether the intent was still there: if it
   * was not, the cache renews the epoch.
   */
  close(registry: string, id: string, tags: readonly string[]): Promise<boolean>;

  /** Drops an intent whose writer has changed nothing. */
  cancel(registry: string, id: string): Promise<void>;

  /** Replaces the epoch, which makes every entry invalid. Open intents stay. */
  renew(registry: string): Promise<void>;

  /** Tries to become the one that fills `key`, for `ttl`; the same owner again extends it. @returns whether `owner` holds it */
  acquire(key: string, owner: string, ttl: number): Promise<boolean>;

  /** Gives a lease up, if `owner` holds it, and wakes those that wait for it. */
  release(key: string, owner: string): Promise<void>;

  /** Resolves when the lease of `key` is given up, or after `timeout`; may resolve early. Never rejects. */
  wait(key: string, timeout: number): Promise<void>;

  /** Calls `onLost` whenever what was read or written may have been lost unnoticed, as after a reconnect. @returns how to stop */
  watch?(onLost: () => void): () => void;

  /** What it holds in this process, in bytes and entries. */
  size(): { readonly bytes: number; readonly entries: number };

  /** Ends what it has started (timers, connections of its own). The client that it was given stays open. */
  dispose(): Promise<void>;
}

/** See {@link CacheStore.read}. */
export interface ReadAsk {
  readonly registry: string;
  readonly key: string;
  readonly tags: readonly string[];
  /** `true`: pass by a copy kept in this process, which was found to be out of date. */
  readonly refresh?: boolean | undefined;
}

/** What {@link CacheStore.read} finds. */
export interface Found {
  /** `undefined`: it is not there, and nothing can be a hit. */
  readonly registry: Registry | undefined;
  /** In the order of the tags asked for; `undefined` where there is none. */
  readonly versions: readonly (string | undefined)[];
  /** The entry's bytes, which nobody changes, or `undefined`. */
  readonly entry: Uint8Array | undefined;
  /** Whether the entry is a copy kept in this process, which another process may have replaced. */
  readonly local: boolean;
}

/** The one value that all entries depend on. */
export interface Registry {
  readonly epoch: string;
  readonly intents: readonly OpenIntent[];
}

/** A writer that is about to commit, or that died trying. */
export interface OpenIntent {
  readonly id: string;
  readonly tags: readonly string[];
  /** Its time is over: its writer is dead or has been cut off. It still blocks hits until it is closed. */
  readonly expired: boolean;
}

/** See {@link CacheStore.open}. */
export interface Intent {
  /** Opaque, unique; letters, digits, `-` and `_`. */
  readonly id: string;
  /** Letters, digits, `-` and `_`; at most {@link MAX_INTENT_TAGS}. */
  readonly tags: readonly string[];
  readonly ttl: number;
}

/** See {@link CacheStore.begin}. */
export interface BeginAsk {
  readonly registry: string;
  readonly tags: readonly string[];
  readonly ttl: number;
}

/** What {@link CacheStore.begin} resolves with. */
export interface Begun {
  readonly registry: Registry;
  readonly versions: readonly string[];
  /**
   * `false` for a while after the registry had to be made anew: an intent that was open may have been lost with the old
   * one, and its writer has to have the time to open it again. Nothing may be filled until then.
   */
  readonly settled: boolean;
}

/** The most tags an intent has; a writer that changes more names whole tables instead. */
export const MAX_INTENT_TAGS = 256;
