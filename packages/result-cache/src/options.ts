import { OptionsError } from './errors.ts';
import type { ExternalWrites } from './external-writes.ts';
import { memoryStore } from './memory-store.ts';
import {
  checkEntityOptions,
  checkExpiry,
  checkNumber,
  checkOneOf,
  type EntityCacheOptions,
  type ExpiryOptions,
  type Policy,
  shown,
} from './policy.ts';
import type { CacheStore } from './store.ts';

/** Options of `resultCache()`; every one may be left out. */
export interface ResultCacheOptions extends ExpiryOptions {
  /** Where entries are kept: `memoryStore()` for one process, `redisStore(client)` for several. @default memoryStore() */
  store?: CacheStore | undefined;
  /** Entities that are cached whenever they are read, beside those that say so themselves (`resultCache` in `defineEntity`). */
  entities?: readonly (readonly [entity: unknown, options: EntityCacheOptions])[] | undefined;
  /** @default 'bypass': reads in a transaction go to the database; `'hit'`: those of tables it has not written may hit */
  inTransaction?: 'bypass' | 'hit' | undefined;
  /**
   * What a commit does when the store cannot be told of it.
   * - `'open'`: it commits. This process uses the cache again only after it has made every entry invalid; other processes
   *   that still reach the store may serve what was before, until then or until the TTL.
   * - `'closed'`: it fails with `ResultCacheError` `NOT_INVALIDATED`, and is rolled back.
   *
   * @default 'open'
   */
  onStoreError?: 'open' | 'closed' | undefined;
  /**
   * What a statement does of which cannot be told what it writes (`do`, `call`, a function of your own):
   * - `'everything'`: it makes every entry invalid;
   * - `'error'`: it is refused with `ResultCacheError` `UNKNOWN_STATEMENT`;
   * - `'ignore'`: nothing. Trap: what it changes stays cached.
   *
   * @default 'everything'
   */
  unknownWrites?: 'everything' | 'error' | 'ignore' | undefined;
  /** Follows the change log of `externalWrites()`, so that writes past the ORM are seen, too. @default none */
  externalWrites?: ExternalWrites | undefined;
  /** Functions of your own that read and write no tables and depend on their arguments only. @default [] */
  pureFunctions?: readonly string[] | undefined;
  /** How long the cache waits for the store before it goes to the database, in ms. @default 40 */
  timeout?: number | undefined;
  /** How long it leaves a store alone that has failed, in ms. @default 1000 */
  retryAfter?: number | undefined;
  /** How long a writer that has died in the middle of its commit keeps its rows from being cached, in ms. @default 30000 */
  intentTtl?: number | undefined;
  /** How long one of several identical misses waits for the one that reads the database, in ms. @default 2000 */
  maxWait?: number | undefined;
  /** Signs each entry (HMAC-SHA256), for a Redis that others can write to. At least 16 characters or bytes. */
  secret?: string | Uint8Array | undefined;
  /** Larger results are not kept, in bytes after encoding. @default 4194304 */
  maxEntryBytes?: number | undefined;
}

/** The options with every default filled in. */
export interface ResolvedOptions {
  readonly store: CacheStore;
  readonly entities: readonly (readonly [entity: unknown, options: EntityCacheOptions])[];
  /** `undefined`: MikroORM's own `resultCache.expiration`, if that was set. */
  readonly ttl: number | undefined;
  readonly policy: Policy;
  readonly onStoreError: 'open' | 'closed';
  readonly unknownWrites: 'everything' | 'error' | 'ignore';
  readonly externalWrites: ExternalWrites | undefined;
  readonly pureFunctions: ReadonlySet<string>;
  readonly timeout: number;
  readonly retryAfter: number;
  readonly intentTtl: number;
  readonly maxWait: number;
  readonly secret: string | Uint8Array | undefined;
}

/** How long an entry lives when nothing says otherwise, in ms. */
export const DEFAULT_TTL = 60_000;

const KNOWN = [
  'store',
  'entities',
  'ttl',
  'jitter',
  'staleWhileRevalidate',
  'earlyRefresh',
  'failSafe',
  'inTransaction',
  'onStoreError',
  'unknownWrites',
  'externalWrites',
  'pureFunctions',
  'timeout',
  'retryAfter',
  'intentTtl',
  'maxWait',
  'secret',
  'maxEntryBytes',
];

const STORE_METHODS = [
  'read',
  'begin',
  'fill',
  'remove',
  'open',
  'close',
  'cancel',
  'renew',
  'acquire',
  'release',
  'wait',
  'size',
  'dispose',
] as const;

/** Fills in defaults and validates. @throws {OptionsError} for an unknown name or a wrong value. */
export function resolveOptions(options: ResultCacheOptions = {}): ResolvedOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionsError(
      'options',
      `resultCache(options) takes an object, but got: ${shown(options)}. Remove the argument for the defaults.`,
    );
  }
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) {
      throw new OptionsError(name, `resultCache() has no option '${name}'. Its options are: ${KNOWN.join(', ')}.`);
    }
  }
  checkExpiry('resultCache(): ', options);
  checkOneOf('resultCache(): inTransaction', 'inTransaction', options.inTransaction, ['bypass', 'hit']);
  checkOneOf('resultCache(): onStoreError', 'onStoreError', options.onStoreError, ['open', 'closed']);
  checkOneOf('resultCache(): unknownWrites', 'unknownWrites', options.unknownWrites, ['everything', 'error', 'ignore']);
  checkNumber('resultCache(): timeout', 'timeout', options.timeout, 1, 'ms');
  checkNumber('resultCache(): retryAfter', 'retryAfter', options.retryAfter, 1, 'ms');
  checkNumber('resultCache(): intentTtl', 'intentTtl', options.intentTtl, 1_000, 'ms');
  checkNumber('resultCache(): maxWait', 'maxWait', options.maxWait, 0, 'ms');
  checkNumber('resultCache(): maxEntryBytes', 'maxEntryBytes', options.maxEntryBytes, 1, 'bytes');
  return Object.freeze({
    store: options.store === undefined ? memoryStore() : checkedStore(options.store),
    entities: checkedEntities(options.entities),
    ttl: options.ttl,
    policy: Object.freeze({
      ttl: options.ttl ?? DEFAULT_TTL,
      jitter: options.jitter ?? 0.1,
      staleWhileRevalidate: options.staleWhileRevalidate ?? 0,
      earlyRefresh: options.earlyRefresh ?? 0,
      failSafe: options.failSafe ?? 0,
      inTransaction: options.inTransaction ?? 'bypass',
      maxEntryBytes: options.maxEntryBytes ?? 4 * 1024 * 1024,
      scope: undefined,
      name: undefined,
    }),
    onStoreError: options.onStoreError ?? 'open',
    unknownWrites: options.unknownWrites ?? 'everything',
    externalWrites: checkedExternalWrites(options.externalWrites),
    pureFunctions: checkedNames(options.pureFunctions),
    timeout: options.timeout ?? 40,
    retryAfter: options.retryAfter ?? 1_000,
    intentTtl: options.intentTtl ?? 30_000,
    maxWait: options.maxWait ?? 2_000,
    secret: checkedSecret(options.secret),
  });
}

function checkedStore(store: unknown): CacheStore {
  const missing =
    typeof store === 'object' && store !== null
      ? STORE_METHODS.find(name => typeof (store as Record<string, unknown>)[name] !== 'function')
      : 'read';
  if (missing !== undefined) {
    const why = typeof store === 'object' && store !== null ? ` It has no ${missing}().` : '';
    const remedy =
      typeof store === 'object' && store !== null && 'defineCommand' in store
        ? ' Wrap the Redis client: redisStore(client).'
        : ' Use memoryStore() or redisStore(client).';
    throw new OptionsError(
      'store',
      `resultCache({ store }) must be a CacheStore, but got: ${describe(store)}.${why}${remedy}`,
    );
  }
  return store as CacheStore;
}

/** A client has secrets among its properties: only its class is named. */
function describe(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? `an instance of ${value.constructor?.name ?? 'Object'}`
    : shown(value);
}

function checkedEntities(entities: unknown): ResolvedOptions['entities'] {
  if (entities === undefined) {
    return [];
  }
  if (!Array.isArray(entities) || !entities.every(pair => Array.isArray(pair) && pair.length === 2)) {
    throw new OptionsError(
      'entities',
      `resultCache({ entities }) must be an array of pairs such as [[Country, { ttl: 60_000 }]], but got: ${shown(entities)}.`,
    );
  }
  for (const [entity, options] of entities as [unknown, unknown][]) {
    if (typeof entity !== 'function' && (typeof entity !== 'object' || entity === null)) {
      throw new OptionsError(
        'entities',
        `resultCache({ entities }) names entities by their class or schema, but got: ${shown(entity)}.`,
      );
    }
    checkEntityOptions('options of an entity in resultCache({ entities })', options);
  }
  return entities as ResolvedOptions['entities'];
}

function checkedExternalWrites(value: unknown): ExternalWrites | undefined {
  if (value !== undefined && typeof (value as ExternalWrites | null)?.follow !== 'function') {
    throw new OptionsError(
      'externalWrites',
      `resultCache({ externalWrites }) must be what externalWrites({ tables }) returns, but got: ${shown(value)}.`,
    );
  }
  return value as ExternalWrites | undefined;
}

function checkedNames(names: unknown): ReadonlySet<string> {
  if (names !== undefined && !(Array.isArray(names) && names.every(name => typeof name === 'string' && name !== ''))) {
    throw new OptionsError(
      'pureFunctions',
      `resultCache({ pureFunctions }) must be an array of function names, but got: ${shown(names)}.`,
    );
  }
  return new Set((names as string[] | undefined)?.map(name => name.toLowerCase()));
}

function checkedSecret(secret: unknown): string | Uint8Array | undefined {
  if (secret === undefined) {
    return undefined;
  }
  // The value is a secret, so the message has its kind and length only.
  if ((typeof secret !== 'string' && !(secret instanceof Uint8Array)) || secret.length < 16) {
    const got =
      typeof secret === 'string' || secret instanceof Uint8Array ? `one of length ${secret.length}` : typeof secret;
    throw new OptionsError(
      'secret',
      `resultCache({ secret }) must be a string or bytes of length 16 or more, but got: ${got}.`,
    );
  }
  return secret;
}
