import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { randomDelay } from '../delays.ts';
import type { NaiveCache } from './naive-cache.ts';

const TTL = 60_000;

interface Entry {
  readonly vector: readonly string[];
  readonly value: unknown;
}

/** Versions taken before the read and replaced after the commit, as django-cacheops does; nobody is told before it. */
export class VectorCache implements NaiveCache {
  hits = 0;
  misses = 0;
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async get<T>(key: string, registers: readonly string[], load: () => Promise<T>): Promise<T> {
    const name = `${this.#prefix}:${key}`;
    const [text, ...versions] = await this.#redis.mget(name, ...this.#versions(registers));
    const entry = text ? (JSON.parse(text) as Entry) : undefined;
    if (entry?.vector.every((version, index) => version === versions[index])) {
      this.hits += 1;
      return entry.value as T;
    }
    this.misses += 1;
    const vector = await Promise.all(this.#versions(registers).map(version => this.#made(version)));
    const value = await load();
    await randomDelay();
    await this.#redis.set(name, JSON.stringify({ vector, value } satisfies Entry), 'PX', TTL);
    return value;
  }

  async invalidate(registers: readonly string[]): Promise<void> {
    await randomDelay();
    await this.#redis.del(this.#versions(registers));
  }

  async #made(version: string): Promise<string> {
    const made = randomBytes(9).toString('base64url');
    return (await this.#redis.set(version, made, 'PX', TTL, 'NX', 'GET')) ?? made;
  }

  #versions(registers: readonly string[]): string[] {
    return registers.map(register => `${this.#prefix}:version:${register}`);
  }
}
