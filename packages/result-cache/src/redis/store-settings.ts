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
   * Copies of entries in this process, or `false`. They save the transfer of an entry, never the question whether it is
   * still current.
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
}

/** The options with every default filled in. */
export interface RedisStoreSettings {
  readonly prefix: string;
  /** 0: no copies. */
  readonly localBytes: number;
  readonly grace: number;
}

const DEFAULT_PREFIX = 'mikrokit';
const DEFAULT_LOCAL_BYTES = 32 * 1024 * 1024;
const DEFAULT_GRACE = 2_000;
const MOST_GRACE = 3_600_000;

/** Pure. @throws {OptionsError} */
export function resolveSettings(client: RedisClient, options: RedisStoreOptions): RedisStoreSettings {
  checkClient(client);
  checkObject('redisStore(client, options)', 'options', options, 'Remove the argument for the defaults.');
  checkNames('redisStore()', '', options, ['prefix', 'local', 'grace']);
  return {
    prefix: checkedPrefix(options.prefix),
    localBytes: checkedLocal(options.local),
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

function checkedLocal(value: unknown): number {
  if (value === undefined) {
    return DEFAULT_LOCAL_BYTES;
  }
  if (value === false) {
    return 0;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionsError(
      'local',
      `redisStore(client, { local }) must be false or an object such as { maxBytes: ${DEFAULT_LOCAL_BYTES} }, but got: ${shown(value)}. Leave it out for that.`,
    );
  }
  checkNames('redisStore()', 'local.', value, ['maxBytes']);
  const { maxBytes } = value as LocalOptions;
  return checkedBytes('redisStore(client, { local: { maxBytes } })', 'local.maxBytes', maxBytes, DEFAULT_LOCAL_BYTES);
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
