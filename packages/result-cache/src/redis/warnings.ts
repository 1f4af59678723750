import { inspect } from 'node:util';
import { isClient, optionsOf, type RedisClient } from './client.ts';

const MOST_RETRIES = 3;

/** What about the client's options makes queries wait when Redis is down, one sentence each. Pure. */
export function clientWarnings(client: RedisClient): readonly string[] {
  if (!isClient(client)) {
    return [];
  }
  const { enableOfflineQueue, maxRetriesPerRequest: own, redisOptions } = optionsOf(client);
  const found: string[] = [];
  if (enableOfflineQueue !== false) {
    found.push(
      "redisStore(): the client's enableOfflineQueue is true, ioredis's default: while Redis is down, commands pile up in memory and are sent late. Set enableOfflineQueue: false.",
    );
  }
  const retries = client.isCluster ? redisOptions?.maxRetriesPerRequest : own;
  // Nodes of a Cluster are not retried unless told to.
  if (client.isCluster && retries === undefined) {
    return found;
  }
  if (typeof retries !== 'number' || !(retries <= MOST_RETRIES)) {
    found.push(
      `redisStore(): the client's maxRetriesPerRequest is ${inspect(retries)}: while Redis is down, a command hangs for as many reconnects. Set maxRetriesPerRequest: 1 (at most ${MOST_RETRIES}).`,
    );
  }
  return found;
}
