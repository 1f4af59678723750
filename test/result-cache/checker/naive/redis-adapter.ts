import type { CacheAdapter } from '@mikro-orm/core';
import type { Redis } from 'ioredis';
import { randomDelay } from '../delays.ts';

/** What MikroORM's own result cache asks for, on Redis. */
export class RedisAdapter implements CacheAdapter {
  hits = 0;
  misses = 0;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async get<T>(name: string): Promise<T | undefined> {
    const found = await this.#redis.get(`${this.#prefix}:${name}`);
    this[found === null ? 'misses' : 'hits'] += 1;
    return found === null ? undefined : (JSON.parse(found) as T);
  }

  async set(name: string, data: unknown, _origin: string, expiration: number): Promise<void> {
    await randomDelay();
    await this.#redis.set(`${this.#prefix}:${name}`, JSON.stringify(data), 'PX', expiration);
  }

  async remove(name: string): Promise<void> {
    await this.#redis.del(`${this.#prefix}:${name}`);
  }

  clear(): void {}
}
