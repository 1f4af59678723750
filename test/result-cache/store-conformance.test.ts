import { storeConformance } from '@mikrokit/result-cache/conformance';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { memoryStore } from '../../packages/result-cache/src/memory-store.ts';
import { redisStore } from '../../packages/result-cache/src/redis-store.ts';
import type { RedisStoreOptions } from '../../packages/result-cache/src/redis/store-settings.ts';
import { type RedisCluster, startRedisCluster } from '../harness/redis-cluster.ts';
import { type RedisServer, startRedis } from '../harness/redis.ts';

let redis: RedisServer;
let cluster: RedisCluster;

beforeAll(async () => {
  redis = await startRedis({ args: [] });
  cluster = await startRedisCluster();
}, 180_000); // It may have to be installed.

afterAll(async () => {
  await redis.stop();
  await cluster.stop();
});

describe('memoryStore()', () => {
  storeConformance({
    test,
    createStore: async () => {
      const store = memoryStore();
      return { stores: [store, store] };
    },
  });
});

describe.each<readonly [string, RedisStoreOptions]>([
  ['redisStore(redis)', { grace: 100 }],
  ['redisStore(redis, { local: false })', { grace: 100, local: false, prefix: 'other:prefix' }],
])('%s', (_, options) => {
  storeConformance({
    test,
    createStore: async () => {
      await redis.flush();
      const clients = [new Redis(redis.url), new Redis(redis.url)] as const;
      return {
        stores: [redisStore(clients[0], options), redisStore(clients[1], options)],
        lose: () => redis.flush(),
        end: async () => clients.forEach(client => client.disconnect()),
      };
    },
  });
});

describe.each<readonly [string, RedisStoreOptions]>([
  ['redisStore(cluster)', { grace: 100 }],
  ['redisStore(cluster, { local: false })', { grace: 100, local: false }],
])('%s', (_, options) => {
  storeConformance({
    test,
    createStore: async () => {
      await cluster.flush();
      const clients = [cluster.client(), cluster.client()] as const;
      return {
        stores: [redisStore(clients[0], options), redisStore(clients[1], options)],
        lose: () => cluster.flush(),
        end: async () => clients.forEach(client => client.disconnect()),
      };
    },
  });
});
