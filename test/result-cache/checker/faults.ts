import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../harness/redis.ts';
import { startRedis } from '../../harness/redis.ts';

/** What happens to Redis while a run lasts. */
export interface Fault {
  /** Does it once. */
  strike(world: World): Promise<void>;
  /** From and to how long until the next time, in ms. */
  readonly every: readonly [least: number, most: number];
}

/** What faults happen to. */
export interface World {
  redis: RedisServer;
  readonly prefix: string;
}

/** As a server that runs out of memory may: one version of a tag is gone. */
export const evictVersion: Fault = {
  every: [40, 60],
  strike: world => unlinkOne(world, 't'),
};

/** The value with the epoch and the open intents is gone. */
export const loseRegistry: Fault = {
  every: [300, 3_000],
  strike: world => unlinkOne(world, 'e'),
};

export const flushAll: Fault = {
  every: [2_500, 4_000],
  strike: ({ redis }) => withClient(redis, async client => void (await client.flushall())),
};

/** Killed, and back with nothing on the same port after a moment. */
export const restartRedis: Fault = {
  every: [3_000, 4_500],
  async strike(world) {
    const port = Number(new URL(world.redis.url).port);
    await world.redis.signal('SIGKILL');
    await world.redis.stop();
    await sleep(200);
    world.redis = await startRedis({ port });
  },
};

/** Lets faults happen, each by itself, until the signal; resolves when the last has passed, with how often each struck. */
export async function disturb(world: World, faults: readonly Fault[], signal: AbortSignal): Promise<number> {
  let struck = 0;
  await Promise.all(
    faults.map(async ({ every: [least, most], strike }) => {
      for (;;) {
        await sleep(least + Math.random() * (most - least), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) {
          return;
        }
        await strike(world);
        struck += 1;
      }
    }),
  );
  return struck;
}

type Client = ReturnType<RedisServer['client']>;
const clients = new WeakMap<RedisServer, Client>();

async function withClient(redis: RedisServer, run: (client: Client) => Promise<void>): Promise<void> {
  let client = clients.get(redis);
  if (client === undefined) {
    client = redis.client();
    clients.set(redis, client);
  }
  await run(client);
}

async function unlinkOne({ redis, prefix }: World, kind: 'e' | 't'): Promise<void> {
  await withClient(redis, async client => {
    const keys = await client.keys(`${prefix}:${kind}:*`);
    if (keys.length > 0) {
      await client.unlink(keys[Math.floor(Math.random() * keys.length)]!);
    }
  });
}
