import { OptionsError } from '../errors.ts';
import { shown } from '../policy.ts';
import { checkedBytes, checkNames, checkObject } from '../store-options.ts';
import { isClient, optionsOf, type RedisClient } from './client.ts';

/** Options of `redisStore()`; every one may be left out. */
export interface RedisStoreOptions {
  /**
   * What all keys begin with. Applications that share a Redis and a database share entries if they share the prefix.
   * 1 to 64 of letters, digits and `_ . : -`.
   *
   * @default 'mikrokit'
   */
  prefix?: string | undefined;
  /**
   * Copies of entries in this process, or `false`. They save the transfer of an entry and, unless `push` is set, never the
   * question whether it is still current.
   *
   * @default { maxBytes: 33554432 } (32 MiB)
   */
  local?: LocalOptions | false | undefined;
  /**
   * How long after the registry had to be made anew nothing is filled, in ms: a writer that was about to commit has to
   * have the time to say so again. Longer than the cache waits for the store (`timeout`).
   *
   * @default 2000
   */
  grace?: number | undefined;
}

/** Copies of entries in this process: `redisStore(client, { local })`. */
export interface LocalOptions {
  /** How much memory they take at most, in bytes. @default 33554432 (32 MiB) */
  maxBytes?: number | undefined;
  /**
   * Whether Redis tells this process what has changed, so that a read of a copy needs no round trip at all. For few entries
   * that are read much more often than anything is written. Takes two more connections to the server, and part of
   * `maxBytes`; not for a Cluster.
   *
   * Trap: a read may then miss what *another* process has committed just before, for as long as a message from Redis takes,
   * and for `pushTimeout` if connections fail. What this process has committed itself it always sees.
   *
   * @default false
   */
  push?: boolean | undefined;
  /**
   * How much a read may be behind other processes with `push` at the very most, in ms, whatever fails. Twice in this time
   * Redis is asked for a sign of life; while there is none, reads ask whether copies are current, as without `push`.
   * 100 to 60000.
   *
   * @default 1000
   */
  pushTimeout?: number | undefined;
}

/** The options with every default filled in. */
export interface RedisStoreSettings {
  readonly prefix: string;
  /** 0: no copies. */
  readonly localBytes: number;
  /** In ms, see `local.pushTimeout`; `undefined`: no push. */
  readonly pushTimeout: number | undefined;
  readonly grace: number;
}

const DEFAULT_PREFIX = 'mikrokit';
const DEFAULT_LOCAL_BYTES = 32 * 1024 * 1024;
const DEFAULT_PUSH_TIMEOUT = 1_000;
const LEAST_PUSH_TIMEOUT = 100;
const MOST_PUSH_TIMEOUT = 60_000;
const DEFAULT_GRACE = 2_000;
const MOST_GRACE = 3_600_000;

/** Pure. @throws {OptionsError} */
export function resolveSettings(client: RedisClient, options: RedisStoreOptions): RedisStoreSettings {
  checkClient(client);
  checkObject('redisStore(client, options)', 'options', options, 'Remove the argument for the defaults.');
  checkNames('redisStore()', '', options, ['prefix', 'local', 'grace']);
  return {
    prefix: checkedPrefix(options.prefix),
    ...checkedLocal(client, options.local),
    grace: checkedGrace(options.grace),
  };
}

function checkClient(client: unknown): asserts client is RedisClient {
  if (!isClient(client)) {
    throw new OptionsError(
      'client',
      `redisStore(client) takes a client of ioredis, but got: ${described(client)}. Give it a new Redis(url) or a new Cluster([...]).`,
    );
  }
  const { keyPrefix, redisOptions, scaleReads, readOnly } = optionsOf(client);
  const clientPrefix = keyPrefix ?? redisOptions?.keyPrefix;
  if (clientPrefix !== undefined && clientPrefix !== '') {
    throw new OptionsError(
      'client',
      `redisStore(client) takes a client without keyPrefix, since ioredis does not add it to every name, but got one with keyPrefix: ${shown(clientPrefix)}. Leave it out and use redisStore(client, { prefix }).`,
    );
  }
  if (client.isCluster && scaleReads !== undefined && scaleReads !== 'master') {
    throw new OptionsError(
      'client',
      `redisStore(client) reads from masters, as replicas are behind, but got a Cluster with scaleReads: ${shown(scaleReads)}. Leave scaleReads out or set it to 'master'.`,
    );
  }
  if (!client.isCluster && readOnly === true) {
    throw new OptionsError(
      'client',
      'redisStore(client) has to write, but got a client with readOnly: true. Leave readOnly out.',
    );
  }
}

/** Clients and URLs have passwords: of an object only the class is named, of a string nothing. */
function described(value: unknown): string {
  if (typeof value === 'string') {
    return 'a string';
  }
  if (typeof value === 'function') {
    return 'a function';
  }
  return typeof value === 'object' && value !== null
    ? `an instance of ${value.constructor?.name ?? 'Object'}`
    : shown(value);
}

function checkedPrefix(value: unknown): string {
  if (value === undefined) {
    return DEFAULT_PREFIX;
  }
  if (typeof value !== 'string' || !/^[A-Za-z0-9_.:-]{1,64}$/.test(value)) {
    throw new OptionsError(
      'prefix',
      `redisStore(client, { prefix }) must be 1 to 64 of letters, digits and _ . : -, but got: ${shown(value)}. Leave it out for '${DEFAULT_PREFIX}'.`,
    );
  }
  return value;
}

function checkedLocal(client: RedisClient, value: unknown): Pick<RedisStoreSettings, 'localBytes' | 'pushTimeout'> {
  if (value === undefined) {
    return { localBytes: DEFAULT_LOCAL_BYTES, pushTimeout: undefined };
  }
  if (value === false) {
    return { localBytes: 0, pushTimeout: undefined };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionsError(
      'local',
      `redisStore(client, { local }) must be false or an object such as { maxBytes: ${DEFAULT_LOCAL_BYTES} }, but got: ${shown(value)}. Leave it out for that.`,
    );
  }
  checkNames('redisStore()', 'local.', value, ['maxBytes', 'push', 'pushTimeout']);
  const { maxBytes, push, pushTimeout } = value as LocalOptions;
  const timeout = checkedPushTimeout(pushTimeout);
  return {
    localBytes: checkedBytes(
      'redisStore(client, { local: { maxBytes } })',
      'local.maxBytes',
      maxBytes,
      DEFAULT_LOCAL_BYTES,
    ),
    pushTimeout: checkedPush(client, push) ? timeout : undefined,
  };
}

function checkedPush(client: RedisClient, value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    throw new OptionsError(
      'local.push',
      `redisStore(client, { local: { push } }) must be true or false, but got: ${shown(value)}. Leave it out for false.`,
    );
  }
  if (value === true && client.isCluster) {
    throw new OptionsError(
      'local.push',
      'redisStore(client, { local: { push: true } }) takes a client of one server, since each node of a Cluster tells only of its own keys, but got: a Cluster. Leave push out, so that reads ask whether copies are current.',
    );
  }
  return value === true;
}

function checkedPushTimeout(value: unknown): number {
  if (value === undefined) {
    return DEFAULT_PUSH_TIMEOUT;
  }
  if (typeof value !== 'number' || !(value >= LEAST_PUSH_TIMEOUT && value <= MOST_PUSH_TIMEOUT)) {
    throw new OptionsError(
      'local.pushTimeout',
      `redisStore(client, { local: { pushTimeout } }) must be a number from ${LEAST_PUSH_TIMEOUT} to ${MOST_PUSH_TIMEOUT} (ms), but got: ${shown(value)}. Leave it out for ${DEFAULT_PUSH_TIMEOUT}.`,
    );
  }
  return value;
}

function checkedGrace(value: unknown): number {
  if (value === undefined) {
    return DEFAULT_GRACE;
  }
  if (typeof value !== 'number' || !(value >= 1 && value <= MOST_GRACE)) {
    throw new OptionsError(
      'grace',
      `redisStore(client, { grace }) must be a number from 1 to ${MOST_GRACE} (ms), but got: ${shown(value)}. Leave it out for ${DEFAULT_GRACE}.`,
    );
  }
  return Math.ceil(value);
}
