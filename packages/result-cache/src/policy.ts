import { inspect } from 'node:util';
import { OptionsError, ResultCacheError } from './errors.ts';

/** How long entries live, and what may be served when they are not fresh; never what a write has invalidated. */
export interface ExpiryOptions {
  /** How long an entry is fresh, in ms. */
  ttl?: number | undefined;
  /** By how much of the TTL it is shortened at random, so that entries filled together do not end together. 0 to 1. */
  jitter?: number | undefined;
  /** For how long after its TTL an entry is still served while it is read anew in the background, in ms. */
  staleWhileRevalidate?: number | undefined;
  /**
   * How eagerly an entry is read anew before its TTL is over, weighted by what its fill cost: the β of XFetch (Vattani,
   * Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015). 0: never; 1: the paper's.
   */
  earlyRefresh?: number | undefined;
  /** For how long after its TTL an entry is served when the database fails, in ms. */
  failSafe?: number | undefined;
}

/** What `resultCache` says in `defineEntity`, or `resultCache({ entities: [[Country, { … }]] })`. */
export interface EntityCacheOptions extends ExpiryOptions {
  /**
   * What else the rows of this entity depend on, besides the statement, its values and the session context: what a view or
   * a policy reads from elsewhere. Becomes part of each key; is called for each read.
   */
  scope?: ((em: unknown) => string | number | bigint | boolean | undefined) | undefined;
  /**
   * Properties by which the entity is read in parts, e.g. `['traveller']`: a write to one part leaves the others cached.
   * Plain columns or to-one relations with an integer, uuid, string, boolean or enum type. Primary keys always are.
   */
  partitionBy?: readonly string[] | undefined;
  /** What happens inside a transaction: its reads go to the database, or those of tables it has not written may hit. */
  inTransaction?: 'bypass' | 'hit' | undefined;
  /** What a commit does when the store cannot be told of it; see {@link ResultCacheOptions.onStoreError}. */
  onStoreError?: 'open' | 'closed' | undefined;
  /** Larger results are not kept, in bytes after encoding. */
  maxEntryBytes?: number | undefined;
  /** Tables that reads of this entity look at without naming them: by a policy, or a function. Names as in the database. */
  dependsOn?: readonly string[] | undefined;
  /** Tables that writes to this entity change without naming them: by a trigger or a rule. Names as in the database. */
  alsoWrites?: readonly string[] | undefined;
}

/** A call's `cache` option: on, off, a TTL in ms, or a name (for `em.clearCache`) with a TTL. */
export type CacheSetting = boolean | number | readonly [name: string, ttl: number] | undefined;

/** What holds for one read. */
export interface Policy {
  readonly ttl: number;
  readonly jitter: number;
  readonly staleWhileRevalidate: number;
  readonly earlyRefresh: number;
  readonly failSafe: number;
  readonly inTransaction: 'bypass' | 'hit';
  readonly maxEntryBytes: number;
  readonly scope: EntityCacheOptions['scope'];
  /** The name of the entry, for `em.clearCache(name)`. */
  readonly name: string | undefined;
}

const ENTITY_OPTIONS = [
  'ttl',
  'jitter',
  'staleWhileRevalidate',
  'earlyRefresh',
  'failSafe',
  'scope',
  'partitionBy',
  'inTransaction',
  'onStoreError',
  'maxEntryBytes',
  'dependsOn',
  'alsoWrites',
] as const;

/** @throws {OptionsError} naming `owner`, e.g. `resultCache of Country` */
export function checkEntityOptions(owner: string, options: unknown): asserts options is EntityCacheOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionsError(
      'resultCache',
      `The ${owner} must be an object such as { ttl: 60_000 }, but got: ${shown(options)}.`,
    );
  }
  for (const name of Object.keys(options)) {
    if (!(ENTITY_OPTIONS as readonly string[]).includes(name)) {
      throw new OptionsError(
        name,
        `The ${owner} has no option '${name}'. Its options are: ${ENTITY_OPTIONS.join(', ')}.`,
      );
    }
  }
  const { scope, partitionBy, dependsOn, alsoWrites, inTransaction, onStoreError, maxEntryBytes } =
    options as EntityCacheOptions;
  checkExpiry(`The ${owner}: `, options as ExpiryOptions);
  checkOneOf(`The ${owner}: inTransaction`, 'inTransaction', inTransaction, ['bypass', 'hit']);
  checkOneOf(`The ${owner}: onStoreError`, 'onStoreError', onStoreError, ['open', 'closed']);
  checkNumber(`The ${owner}: maxEntryBytes`, 'maxEntryBytes', maxEntryBytes, 1, 'bytes');
  if (scope !== undefined && typeof scope !== 'function') {
    throw new OptionsError(
      'scope',
      `The ${owner}: scope must be a function of the EntityManager, but got: ${shown(scope)}.`,
    );
  }
  for (const [name, value] of Object.entries({ partitionBy, dependsOn, alsoWrites })) {
    if (
      value !== undefined &&
      !(Array.isArray(value) && value.every(item => typeof item === 'string' && item !== ''))
    ) {
      throw new OptionsError(name, `The ${owner}: ${name} must be an array of names, but got: ${shown(value)}.`);
    }
  }
}

/** @throws {OptionsError} for a number out of range; `prefix` begins the message */
export function checkExpiry(prefix: string, options: ExpiryOptions): void {
  checkNumber(`${prefix}ttl`, 'ttl', options.ttl, 1, 'ms');
  checkNumber(`${prefix}staleWhileRevalidate`, 'staleWhileRevalidate', options.staleWhileRevalidate, 0, 'ms');
  checkNumber(`${prefix}failSafe`, 'failSafe', options.failSafe, 0, 'ms');
  checkNumber(`${prefix}earlyRefresh`, 'earlyRefresh', options.earlyRefresh, 0);
  checkNumber(`${prefix}jitter`, 'jitter', options.jitter, 0, undefined, 1);
}

/** @throws {OptionsError} unless `value` is undefined or a finite number from `least` to `most` */
export function checkNumber(
  subject: string,
  option: string,
  value: unknown,
  least: number,
  unit?: string,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  if (value !== undefined && !(typeof value === 'number' && value >= least && value <= most)) {
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new OptionsError(
      option,
      `${subject} must be a finite number ${range}${unit ? ` (${unit})` : ''}, but got: ${shown(value)}.`,
    );
  }
}

/** @throws {OptionsError} unless `value` is undefined or one of `allowed` */
export function checkOneOf(subject: string, option: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value as string)) {
    throw new OptionsError(
      option,
      `${subject} must be ${allowed.map(one => `'${one}'`).join(' or ')}, but got: ${shown(value)}.`,
    );
  }
}

/**
 * What holds for a read: the call's own setting first, then that of its entity, then the defaults.
 *
 * @returns `undefined`: the read is not cached
 * @throws {ResultCacheError} `ARGUMENT` for a setting that is none
 */
export function policyOf(
  setting: CacheSetting,
  entity: EntityCacheOptions | undefined,
  defaults: Policy,
): Policy | undefined {
  if (setting === false || (setting === undefined && entity === undefined)) {
    return undefined;
  }
  if (setting === undefined || setting === true) {
    return entity === undefined ? defaults : mergedPolicy(defaults, entity);
  }
  const base = entity === undefined ? defaults : mergedPolicy(defaults, entity);
  if (typeof setting === 'number') {
    return { ...base, ttl: checkedTtl(setting, setting) };
  }
  if (!Array.isArray(setting) || typeof setting[0] !== 'string' || setting[0] === '') {
    throw refused(setting);
  }
  return { ...base, name: setting[0], ttl: setting[1] === undefined ? base.ttl : checkedTtl(setting[1], setting) };
}

const merged = new WeakMap<EntityCacheOptions, { readonly defaults: Policy; readonly policy: Policy }>();

function mergedPolicy(defaults: Policy, entity: EntityCacheOptions): Policy {
  const known = merged.get(entity);
  if (known?.defaults === defaults) {
    return known.policy;
  }
  const policy: Policy = {
    ttl: entity.ttl ?? defaults.ttl,
    jitter: entity.jitter ?? defaults.jitter,
    staleWhileRevalidate: entity.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
    earlyRefresh: entity.earlyRefresh ?? defaults.earlyRefresh,
    failSafe: entity.failSafe ?? defaults.failSafe,
    inTransaction: entity.inTransaction ?? defaults.inTransaction,
    maxEntryBytes: entity.maxEntryBytes ?? defaults.maxEntryBytes,
    scope: entity.scope,
    name: undefined,
  };
  merged.set(entity, { defaults, policy });
  return policy;
}

function checkedTtl(ttl: unknown, setting: CacheSetting): number {
  if (typeof ttl !== 'number' || !(ttl > 0 && ttl <= Number.MAX_SAFE_INTEGER)) {
    throw refused(setting);
  }
  return ttl;
}

function refused(setting: unknown): ResultCacheError {
  return new ResultCacheError(
    'ARGUMENT',
    `The option cache must be true, false, a TTL in ms above 0, or [name, ttl], but got: ${shown(setting)}.`,
  );
}

/** `value` for a message: one line, not deep. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity });
}
