import { hash } from 'node:crypto';
import { inspect } from 'node:util';
import { OptionsError, ReplicaResolverError } from './errors.ts';
import { RAISE } from './raise-script.ts';
import { type TokenStore, TokenStoreError } from './token-store.ts';

/**
 * What `redisTokenStore()` uses of an ioredis 6 client: `new Redis()` and `new Cluster()` both are one. Declared here, so
 * that the types of this package do not need ioredis.
 */
export interface TokenRedis {
  get(key: string): Promise<string | null>;
  evalsha(sha: string, keys: number, ...args: string[]): Promise<unknown>;
  eval(lua: string, keys: number, ...args: string[]): Promise<unknown>;
}

/** Options of `redisTokenStore()`; every one may be left out. */
export interface RedisTokenStoreOptions {
  /**
   * What its keys begin with, 1 to 64 of letters, digits and `_ . : -`. Applications on different databases need different
   * ones: of tokens of two clusters the last one counts.
   *
   * @default 'mikrokit:token:'
   */
  readonly prefix?: string | undefined;
  /** How long Redis may take to answer, in ms, 1 to 60000. It is part of a request's time. @default 100 */
  readonly timeout?: number | undefined;
}

/** 2^43: 278 years. What is longer Redis might refuse. */
const MOST_TTL = 8_796_093_022_208;
const MOST_LENGTH = 160;
const TOKEN = /^v1\.[\da-z]+\.\d+\.[\da-f]+\.[\da-z]+(\.[\w-]+)?$/;

interface Settings {
  readonly prefix: string;
  readonly timeout: number;
}

/**
 * Keeps tokens in Redis (6 or later, or Valkey), over your own ioredis client, which stays yours to close. Keys are stored as
 * their SHA-256, so that no names or addresses of users are in Redis; but of numbers one can try all.
 *
 * Trap: give it a client that fails soon (`enableOfflineQueue: false`, `maxRetriesPerRequest: 1`). Others keep commands while
 * Redis is away, and send them when it is back, long after they were given up here.
 *
 * Trap: a Redis that fails over may forget what was raised last.
 *
 * @throws {OptionsError} for what is no client of ioredis, an unknown option or a wrong value
 */
export function redisTokenStore(client: TokenRedis, options: RedisTokenStoreOptions = {}): TokenStore {
  const { prefix, timeout } = settingsOf(client, options);
  const nameOf = (key: unknown): string => prefix + hash('sha256', checkedKey(key), 'base64url');
  return {
    async get(key) {
      const name = nameOf(key);
      return (await inTime(timeout, () => client.get(name))) ?? undefined;
    },
    async raise(key, token, ttl) {
      const args = [nameOf(key), checkedToken(token), `${checkedTtl(ttl)}`];
      await inTime(timeout, () => run(client, args));
    },
  };
}

/** By its name, and once more as text where the server does not know it: it was restarted, or its scripts were flushed. */
async function run(client: TokenRedis, args: readonly string[]): Promise<void> {
  try {
    await client.evalsha(RAISE.sha, 1, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) {
      throw error;
    }
    await client.eval(RAISE.lua, 1, ...args);
  }
}

/** The errors of ioredis carry what was sent, so they are not the `cause`. */
async function inTime<T>(timeout: number, ask: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(failed(`has to answer within ${timeout} ms, but did not. Raise the option timeout if it is far away.`)),
      timeout,
    );
  });
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    throw error instanceof TokenStoreError
      ? error
      : failed(
          `has to answer, but failed: ${error instanceof Error ? `${error.name}: ${error.message}` : typeof error}.`,
        );
  } finally {
    clearTimeout(timer);
  }
}

function failed(what: string): TokenStoreError {
  return new TokenStoreError(`redisTokenStore(): Redis ${what}`);
}

function settingsOf(client: unknown, options: RedisTokenStoreOptions): Settings {
  const methods = ['get', 'evalsha', 'eval'] as const;
  const methodsOf = client as Partial<Record<string, unknown>> | null | undefined;
  if (typeof client !== 'object' || methods.some(name => typeof methodsOf?.[name] !== 'function')) {
    // Clients and URLs have passwords: only the kind is named.
    throw new OptionsError(
      'client',
      `redisTokenStore(client) takes a client of ioredis, but got: ${client === null ? 'null' : typeof client}. Give it a new Redis(url) or a new Cluster([...]).`,
    );
  }
  const unknown = Object.keys(options).find(name => name !== 'prefix' && name !== 'timeout');
  if (unknown !== undefined) {
    throw new OptionsError(
      unknown,
      `redisTokenStore(client, options) has prefix and timeout, but got: ${inspect(unknown)}. Remove it or correct its name.`,
    );
  }
  const { prefix = 'mikrokit:token:', timeout = 100 } = options;
  if (typeof prefix !== 'string' || !/^[\w.:-]{1,64}$/.test(prefix)) {
    throw wrong('prefix', '1 to 64 of letters, digits and _ . : -', prefix);
  }
  if (typeof timeout !== 'number' || !(timeout >= 1 && timeout <= 60_000)) {
    throw wrong('timeout', '1 to 60000 ms', timeout);
  }
  return { prefix, timeout };
}

function wrong(option: string, contract: string, value: unknown): OptionsError {
  return new OptionsError(
    option,
    `redisTokenStore(client, { ${option} }) must be ${contract}, but is ${inspect(value, { depth: 0 })}. Correct it or leave it out for the default.`,
  );
}

function checkedKey(key: unknown): string {
  if (typeof key !== 'string' || key === '') {
    throw new ReplicaResolverError(
      'ARGUMENT',
      `A key of the store of tokens must be a string that is not empty, but its type is ${typeof key}. Without a key leave it out of run().`,
    );
  }
  return key;
}

/** The form that the script can compare. */
function checkedToken(token: unknown): string {
  if (typeof token !== 'string' || token.length > MOST_LENGTH || !TOKEN.test(token)) {
    throw new ReplicaResolverError(
      'ARGUMENT',
      'raise(key, token) takes what resolver.token() returned, but got another value. Pass it on as it is.',
    );
  }
  return token;
}

function checkedTtl(ttl: unknown): number {
  if (typeof ttl !== 'number' || !(ttl > 0)) {
    throw new ReplicaResolverError(
      'ARGUMENT',
      `raise(key, token, ttl) takes a ttl above 0 ms, but got: ${inspect(ttl, { depth: 0 })}. Pass the resolver's tokenTtl.`,
    );
  }
  return Math.min(Math.ceil(ttl), MOST_TTL);
}
