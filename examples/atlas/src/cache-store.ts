import { type CacheStore, memoryStore, redisStore } from '@mikrokit/result-cache';
import { Redis } from 'ioredis';
import { withoutPassword } from './database/servers.ts';
import { AtlasError } from './errors.ts';

/** Where Atlas keeps what it has read. */
export interface OpenStore {
  readonly store: CacheStore;
  /** The Redis that other processes share, if there is one. */
  readonly url: string | undefined;
  /** Ends the connection; to be called after the ORM was closed. */
  close(): Promise<void>;
}

/** Redis if there is one, else the memory of this process. */
export async function openStore(url: string | undefined): Promise<OpenStore> {
  if (url === undefined) {
    return { store: memoryStore(), url, close: async () => {} };
  }
  // A query is not to wait for a Redis that is down: it goes to the database at once.
  const redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, lazyConnect: true });
  // The cache tells of failures itself; without a listener ioredis prints each lost connection.
  redis.on('error', () => {});
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new AtlasError(
      `cannot reach Redis at ${withoutPassword(url)}: ${(error as Error).message}. Is it running, and is REDIS_URL right?`,
      { cause: error },
    );
  }
  return { store: redisStore(redis, { prefix: 'atlas' }), url, close: async () => redis.disconnect() };
}
