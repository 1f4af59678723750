import type { Redis } from 'ioredis';
import { randomDelay } from '../delays.ts';
import type { NaiveCache } from './naive-cache.ts';

const TTL = 60_000;

/** What most applications write by hand: GET, else SELECT and SET; DEL after a write. */
export class CacheAside implements NaiveCache {
  hits = 0;
  misses = 0;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async get<T>(key: string, _registers: readonly string[], load: () => Promise<T>): Promise<T> {
    const found = await this.#redis.get(`${this.#prefix}:${key}`);
    if (found !== null) {
      this.hits += 1;
      return JSON.parse(found) as T;
    }
    this.misses += 1;
    const value = await load();
    await randomDelay();
    await this.#redis.set(`${this.#prefix}:${key}`, JSON.stringify(value), 'PX', TTL);
    return value;
  }

  async invalidate(_registers: readonly string[], keys: readonly string[]): Promise<void> {
    await randomDelay();
    await this.#redis.del(keys.map(key => `${this.#prefix}:${key}`));
  }
}
