import { setTimeout as sleep } from 'node:timers/promises';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import {
  redisStore,
  resultCache,
  type CacheEvent,
  type ResultCache,
  type ResultCacheOptions,
} from '@mikrokit/result-cache';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { startProxy, type Proxy } from '../harness/proxy.ts';
import { recordQueries } from '../harness/recorder.ts';
import { type RedisServer, startRedis } from '../harness/redis.ts';

const City = defineEntity({
  name: 'City',
  resultCache: { ttl: 600_000 },
  properties: { id: p.integer().primary(), name: p.string() },
});

let redis: RedisServer;
let proxy: Proxy;
let url: string;
const events: CacheEvent[] = [];
const hear = (event: unknown): void => void events.push(event as CacheEvent);

beforeEach(async () => {
  redis = await startRedis();
  closeAfter(() => redis.stop());
  proxy = await startProxy(redis.url);
  closeAfter(() => proxy.stop());
  ({ url } = await openDatabase());
  const plain = await openOrm({ url, entities: [City] });
  await plain.schema.create();
  await plain.em.fork().insert(City, { id: 1, name: 'Ulm' });
  events.length = 0;
  subscribe('mikrokit:cache', hear);
});

afterEach(() => unsubscribe('mikrokit:cache', hear));

/** A process whose way to Redis is the proxy, or is not. */
async function open(
  through: string,
  options: Partial<ResultCacheOptions> = {},
): Promise<{ orm: MikroORM; cache: ResultCache; client: Redis }> {
  const client = new Redis(through, { maxRetriesPerRequest: 1, retryStrategy: () => 50, enableOfflineQueue: false });
  client.on('error', () => undefined);
  closeAfter(async () => client.disconnect());
  await new Promise(resolve => client.once('ready', resolve));
  const cache = resultCache({ store: redisStore(client, { grace: 1 }), timeout: 1_000, retryAfter: 200, ...options });
  const orm = await openOrm({ url, entities: [City], extensions: [cache] });
  await untilHit(orm);
  return { orm, cache, client };
}

const nameIn = async (orm: MikroORM): Promise<string | undefined> => (await orm.em.fork().findOne(City, 1))?.name;
const rename = (orm: MikroORM, name: string): Promise<number> => orm.em.fork().nativeUpdate(City, { id: 1 }, { name });

/** How a read was answered. */
async function answered(orm: MikroORM): Promise<'hit' | 'database'> {
  using recorder = recordQueries(orm);
  await nameIn(orm);
  return recorder.take().length === 0 ? 'hit' : 'database';
}

/** Reads until it is a hit again. @throws after 5 s */
async function untilHit(orm: MikroORM): Promise<void> {
  const deadline = performance.now() + 5_000;
  while ((await answered(orm)) !== 'hit') {
    if (performance.now() > deadline) {
      throw new Error('no hit within 5 s');
    }
    await sleep(30);
  }
}

const outages: Record<string, () => Promise<void>> = {
  'refuses connections': () => proxy.refuse(),
  'resets connections': () => proxy.reset(),
  'is a black hole': () => proxy.blackHole(),
};

describe.each(Object.entries(outages))('a Redis that %s', (_name, begin) => {
  test('answers from the database, misses no write, and hits again afterwards', async () => {
    const { orm } = await open(proxy.url());
    expect(await answered(orm)).toBe('hit');
    await begin();
    expect(await nameIn(orm)).toBe('Ulm');
    await rename(orm, 'Bonn');
    expect(await nameIn(orm)).toBe('Bonn');
    await proxy.pass();
    await untilHit(orm);
    expect(await nameIn(orm)).toBe('Bonn');
  });

  test("what another process had cached before a write in the outage is gone after it (onStoreError: 'open')", async () => {
    const cutOff = await open(proxy.url());
    const other = await open(redis.url);
    expect(await answered(other.orm)).toBe('hit');
    await begin();
    await rename(cutOff.orm, 'Bonn');
    await proxy.pass();
    await untilHit(cutOff.orm);
    expect(await nameIn(other.orm)).toBe('Bonn');
  });

  test("onStoreError: 'closed' makes no change that cannot be told", async () => {
    const { orm } = await open(proxy.url(), { onStoreError: 'closed' });
    await begin();
    await expect(rename(orm, 'Bonn')).rejects.toMatchObject({ name: 'ResultCacheError', code: 'NOT_INVALIDATED' });
    const em = orm.em.fork();
    const city = await em.findOneOrFail(City, 1, { cache: false });
    city.name = 'Bonn';
    await expect(em.flush()).rejects.toMatchObject({ name: 'ResultCacheError', code: 'NOT_INVALIDATED' });
    expect((await orm.em.fork().findOneOrFail(City, 1, { cache: false })).name).toBe('Ulm');
    await proxy.pass();
    await untilHit(orm);
    await rename(orm, 'Kiel');
    expect(await nameIn(orm)).toBe('Kiel');
  });
});

test('a black hole costs one read the time-out, and the others nothing', async () => {
  const { orm } = await open(proxy.url(), { retryAfter: 60_000 });
  events.length = 0;
  await proxy.blackHole();
  const took: number[] = [];
  for (let read = 0; read < 5; read += 1) {
    const before = performance.now();
    await nameIn(orm);
    took.push(performance.now() - before);
  }
  expect(took[0]).toBeGreaterThan(950);
  expect(events.filter(event => event.kind === 'error').map(event => event.operation)).toEqual(['read']);
  expect(events.filter(event => event.kind === 'bypass').map(event => event.reason)).toEqual(
    Array.from({ length: 5 }, () => 'store unavailable'),
  );
});

describe('a Redis that has lost what it had', () => {
  test.each(['FLUSHALL', 'the registry', 'the versions', 'the entries'])('%s', async what => {
    const { orm, client } = await open(redis.url);
    expect(await answered(orm)).toBe('hit');
    const doomed = { 'the registry': 'e', 'the versions': 't', 'the entries': 'q' }[what];
    if (doomed === undefined) {
      await client.flushall();
    } else {
      const keys = await client.keys(`mikrokit:${doomed}:*`);
      expect(keys.length).toBeGreaterThan(0);
      await client.unlink(...keys);
    }
    await rename(orm, 'Bonn');
    expect(await nameIn(orm)).toBe('Bonn');
    await untilHit(orm);
    expect(await nameIn(orm)).toBe('Bonn');
  });

  test('one that was restarted from an old state', async () => {
    const { orm, client } = await open(redis.url);
    const keys = await client.keys('mikrokit:*');
    const old = await Promise.all(keys.map(async key => [key, await client.getBuffer(key)] as const));
    await rename(orm, 'Bonn');
    expect(await nameIn(orm)).toBe('Bonn');
    // As after a failover to a replica that had not heard of the last writes: connections break, and what was is again.
    client.disconnect(true);
    const own = new Redis(redis.url);
    await own.flushall();
    await Promise.all(old.map(([key, value]) => own.set(key, value!)));
    own.disconnect();
    await sleep(300);
    expect(await nameIn(orm)).toBe('Bonn');
  });
});

describe('what others have put under our keys', () => {
  test.each(['e', 't', 'q', 'l'])('a list in place of mikrokit:%s:…', async kind => {
    const { orm, client } = await open(redis.url);
    for (const key of await client.keys(kind === 'l' ? 'mikrokit:q:*' : `mikrokit:${kind}:*`)) {
      const name = kind === 'l' ? key.replace(':q:', ':l:') : key;
      await client.unlink(name);
      await client.rpush(name, 'wrong');
    }
    expect(await nameIn(orm)).toBe('Ulm');
    await rename(orm, 'Bonn');
    expect(await nameIn(orm)).toBe('Bonn');
    await sleep(50);
    expect(await nameIn(orm)).toBe('Bonn');
  });

  test.each(['cut', 'changed', 'of another key'])('an entry that is %s is none', async how => {
    const { client } = await open(redis.url);
    const second = new Redis(redis.url);
    closeAfter(async () => second.disconnect());
    const cache = resultCache({ store: redisStore(second, { grace: 1, local: false }), timeout: 1_000 });
    const reader = await openOrm({ url, entities: [City], extensions: [cache] });
    await untilHit(reader);
    const [key] = await client.keys('mikrokit:q:City:*');
    const bytes = (await client.getBuffer(key!))!;
    if (how === 'cut') {
      await client.set(key!, bytes.subarray(0, bytes.length - 3));
    } else if (how === 'changed') {
      bytes[bytes.length - 8]! ^= 1;
      await client.set(key!, bytes);
    } else {
      await reader.em.fork().findOne(City, 2);
      const others = async (): Promise<string[]> =>
        (await client.keys('mikrokit:q:City:*')).filter(each => each !== key);
      await expect.poll(others).toHaveLength(1);
      const [other] = await others();
      await client.set(key!, (await client.getBuffer(other!))!);
    }
    expect(await nameIn(reader)).toBe('Ulm');
    await untilHit(reader);
  });

  test('a signed cache takes no entry that is not signed with its secret', async () => {
    const { client } = await open(redis.url, { secret: 'a secret of others' });
    const [key] = await client.keys('mikrokit:q:City:*');
    const forged = (await client.getBuffer(key!))!;
    await open(redis.url, { secret: 'our own long secret' });
    await client.set(key!, forged);
    const fresh = new Redis(redis.url);
    closeAfter(async () => fresh.disconnect());
    const cache = resultCache({
      store: redisStore(fresh, { grace: 1 }),
      secret: 'our own long secret',
      timeout: 1_000,
    });
    const reader = await openOrm({ url, entities: [City], extensions: [cache] });
    events.length = 0;
    expect(await nameIn(reader)).toBe('Ulm');
    // Asked for twice: once for the answer, and once more with the lease.
    expect(events.filter(event => event.kind === 'error').map(event => event.error)).toEqual([
      'signature',
      'signature',
    ]);
  });
});

test('a full Redis keeps nothing, and misses no write', async () => {
  const { orm, client } = await open(redis.url);
  await client.config('SET', 'maxmemory', '1');
  await client.config('SET', 'maxmemory-policy', 'noeviction');
  expect(await nameIn(orm)).toBe('Ulm');
  await rename(orm, 'Bonn');
  expect(await nameIn(orm)).toBe('Bonn');
  await client.config('SET', 'maxmemory', '0');
  await untilHit(orm);
  expect(await nameIn(orm)).toBe('Bonn');
});

test('a read-only Redis is an error at first use, not a cache that is silently off', async () => {
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', new URL(redis.url).port] });
  closeAfter(() => replica.stop());
  const client = new Redis(replica.url);
  closeAfter(async () => client.disconnect());
  const cache = resultCache({ store: redisStore(client), timeout: 1_000 });
  const orm = await openOrm({ url, entities: [City], extensions: [cache] });
  await expect(nameIn(orm)).rejects.toMatchObject({ name: 'StoreError', code: 'READ_ONLY' });
});

test('a Redis that becomes read-only is an outage', async () => {
  const { orm, client } = await open(redis.url);
  const other = await startRedis();
  closeAfter(() => other.stop());
  await client.replicaof('127.0.0.1', new URL(other.url).port);
  await expect(rename(orm, 'Bonn')).resolves.toBe(1);
  expect(await nameIn(orm)).toBe('Bonn');
  await client.replicaof('NO', 'ONE');
  await untilHit(orm);
  expect(await nameIn(orm)).toBe('Bonn');
});
