import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { randomDelay } from '../delays.ts';
import type { NaiveCache } from './naive-cache.ts';

const TTL = 60_000;
const LEASE = 1_000;

const FILL = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`;

/** Nishtala et al., Scaling Memcache at Facebook, NSDI 2013: a fill counts only if nobody has invalidated since its miss. */
export class LeaseCache implements NaiveCache {
  hits = 0;
  misses = 0;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async get<T>(key: string, _registers: readonly string[], load: () => Promise<T>): Promise<T> {
    const entry = `${this.#prefix}:${key}`;
    const found = await this.#redis.get(entry);
    if (found !== null) {
      this.hits += 1;
      return JSON.parse(found) as T;
    }
    this.misses += 1;
    const token = randomBytes(9).toString('base64url');
    const leased = await this.#redis.set(`${entry}:lease`, token, 'PX', LEASE, 'NX');
    const value = await load();
    await randomDelay();
    if (leased !== null) {
      await this.#redis.eval(FILL, 2, entry, `${entry}:lease`, token, JSON.stringify(value), TTL);
    }
    return value;
  }

  async invalidate(_registers: readonly string[], keys: readonly string[]): Promise<void> {
    await randomDelay();
    await this.#redis.del(keys.flatMap(key => [`${this.#prefix}:${key}`, `${this.#prefix}:${key}:lease`]));
  }
}
