import type { Options } from '@mikro-orm/postgresql';
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { Redis } from 'ioredis';
import type { EntityManager } from '@mikro-orm/postgresql';
import { randomDelay } from './delays.ts';
import { disturbed } from './disturbed-store.ts';
import type { Journal } from './journal.ts';
import { CacheAside } from './naive/cache-aside.ts';
import { LeaseCache } from './naive/lease-cache.ts';
import type { NaiveCache } from './naive/naive-cache.ts';
import { RedisAdapter } from './naive/redis-adapter.ts';
import { VectorCache } from './naive/vector-cache.ts';
import { type Observation, READS, type RegisterRead } from './reads.ts';
import type { Task } from './task.ts';
import { noteCommit } from './write-watch.ts';

/** A cache under examination. */
export interface Examined {
  /** For MikroORM. */
  readonly options: Partial<Options>;
  read(em: EntityManager, read: RegisterRead): Promise<Observation[]>;
  /** After a write has resolved: what the application has to do for its cache. */
  written(em: EntityManager, registers: readonly string[]): Promise<void>;
  rates(): { readonly hits: number; readonly misses: number };
}

const TTL = 60_000;
/**
 * Ours is not to be late because the machine is busy: a writer that gives the store up commits untold, which is documented
 * (`onStoreError: 'open'`) and not what is examined here.
 */
const TIMEOUT = 10_000;

export async function examinedOf(task: Task, journal: Journal): Promise<Examined> {
  const redis = await connected(task.redisUrl);
  const naive = (cache: NaiveCache): Examined => ({
    options: {},
    read: (em, read) => cache.get(read.key, read.registers, () => read.run(em, undefined)),
    written: (_em, registers) => cache.invalidate(registers, dependingOn(registers)),
    rates: () => cache,
  });
  switch (task.subject) {
    case 'result-cache':
      return ours(task, redis, journal);
    case 'cache-aside':
      return naive(new CacheAside(redis, task.prefix));
    case 'leases':
      return naive(new LeaseCache(redis, task.prefix));
    case 'version vector':
      return naive(new VectorCache(redis, task.prefix));
    case "MikroORM's cache":
      return mikroOrms(new RedisAdapter(redis, task.prefix));
  }
}

function ours({ prefix, grace, intentTtl, killed, flaw }: Task, redis: Redis, journal: Journal): Examined {
  const store = disturbed(redisStore(redis, { prefix, grace }), {
    killed,
    flaw,
    committed: () => noteCommit(journal),
  });
  const cache = resultCache({ store, intentTtl, timeout: TIMEOUT, retryAfter: 100 });
  return {
    options: { extensions: [cache] },
    read: (em, read) => read.run(em, TTL),
    written: () => Promise.resolve(),
    rates: () => cache.stats(),
  };
}

/** As well as one can use it: each result has a name, and whoever writes clears those that depend on it. */
function mikroOrms(adapter: RedisAdapter): Examined {
  return {
    // What a constructor returns is what `new` gives.
    options: {
      resultCache: {
        adapter: function () {
          return adapter;
        } as never,
      },
    },
    read: (em, read) => read.run(em, [read.key, TTL]),
    async written(em, registers) {
      await randomDelay();
      await Promise.all(dependingOn(registers).map(key => em.clearCache(key)));
    },
    rates: () => adapter,
  };
}

function dependingOn(registers: readonly string[]): string[] {
  return READS.filter(read => read.registers.some(register => registers.includes(register))).map(({ key }) => key);
}

/** As the package asks for it: a client that fails soon. */
export async function connected(url: string): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    retryStrategy: () => 50,
  });
  redis.on('error', () => {});
  await redis.connect();
  return redis;
}
