import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { redisStore } from '../../packages/result-cache/src/redis-store.ts';
import { parseRegistry } from '../../packages/result-cache/src/redis/registry-text.ts';
import type { RedisStoreOptions } from '../../packages/result-cache/src/redis/store-settings.ts';
import type { CacheStore } from '../../packages/result-cache/src/store.ts';
import { startProxy } from '../harness/proxy.ts';
import { type RedisCluster, startRedisCluster } from '../harness/redis-cluster.ts';
import { type RedisServer, startRedis } from '../harness/redis.ts';

const ask = { registry: 'orm', key: 'k', tags: ['a', 'b'], ttl: 60_000 };
const hello = Buffer.from('hello');

let server: RedisServer;
/** Looks at what the store wrote. */
let redis: Redis;
let cluster: RedisCluster;

beforeAll(async () => {
  server = await startRedis({ args: [] });
  redis = server.client();
  cluster = await startRedisCluster();
}, 180_000); // It may have to be installed.

beforeEach(async () => {
  await server.flush();
  await cluster.flush();
});

afterAll(async () => {
  await server.stop();
  await cluster.stop();
});

function connect(options: Omit<RedisOptions, 'replyMapping'> = {}, url = server.url): Redis {
  const client = new Redis(url, { enableOfflineQueue: true, maxRetriesPerRequest: 1, ...options });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

function storeOn(client: Redis | ReturnType<RedisCluster['client']>, options: RedisStoreOptions = {}): CacheStore {
  const store = redisStore(client, { grace: 1, ...options });
  onTestFinished(() => store.dispose());
  return store;
}

/** What the server gets of `run`, as it was sent; scripts without their text, and without what they do. */
async function sentBy(run: () => Promise<unknown>): Promise<string[][]> {
  const monitor = await redis.monitor();
  const sent: string[][] = [];
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') {
      sent.push(args.map((arg, index) => (/^evalsha$/i.test(args[0]!) && index === 1 ? 'sha' : arg)));
    }
  });
  await run();
  await redis.ping('the end');
  while (sent.at(-1)?.[1] !== 'the end') {
    await sleep(5);
  }
  monitor.disconnect();
  return sent.slice(0, -1);
}

/** How often something was written to the connection: as many round trips, if nothing waits in between. */
function writesOf(client: Redis): () => number {
  const { stream } = client as unknown as { stream: { bytesWritten: number; write: (...args: never[]) => boolean } };
  const { write } = stream;
  let writes = 0;
  stream.write = (...args) => {
    writes++;
    return Reflect.apply(write, stream, args) as boolean;
  };
  return () => writes;
}

test('what is sent: one command for a read, one transaction for a close, one write for each but a Cluster', async () => {
  const client = connect();
  const store = storeOn(client, { local: false });
  await store.begin(ask);
  await store.open('orm', { id: 'warm', tags: [], ttl: 1 });
  await store.close('orm', 'warm', []);
  const writes = writesOf(client);
  const sent = await sentBy(async () => {
    await store.read(ask);
    await store.begin(ask);
    await store.fill('k', hello, 60_000);
    await store.open('orm', { id: 'i', tags: ['a', 'b'], ttl: 30_000 });
    await store.close('orm', 'i', ['a', 'b']);
    await store.cancel('orm', 'i');
    await store.remove(['k', 'l']);
  });
  expect(sent).toEqual(
    [
      ['mget', 'mikrokit:e:orm', 'mikrokit:q:k', 'mikrokit:t:a', 'mikrokit:t:b'],
      ['EVALSHA', 'sha', '1', 'mikrokit:e:orm', expect.any(String), '1'],
      ['EVALSHA', 'sha', '1', 'mikrokit:t:a', expect.any(String), '60000'],
      ['EVALSHA', 'sha', '1', 'mikrokit:t:b', expect.any(String), '60000'],
      ['set', 'mikrokit:q:k', 'hello', 'px', '60000'],
      ['evalsha', 'sha', '1', 'mikrokit:e:orm', expect.any(String), 'i', '30000', 'a,b'],
      ['multi'],
      ['unlink', 'mikrokit:t:a', 'mikrokit:t:b'],
      ['evalsha', 'sha', '1', 'mikrokit:e:orm', 'i'],
      ['exec'],
      ['evalsha', 'sha', '1', 'mikrokit:e:orm', 'i'],
      ['unlink', 'mikrokit:q:k', 'mikrokit:q:l'],
    ].map(([name, ...args]) => [expect.stringMatching(new RegExp(`^${String(name)}$`, 'i')), ...args]),
  );
  expect(writes()).toBe(7);
});

test('a read with a local copy leaves the entry out; what was read is copied once its rest of life is known', async () => {
  const store = storeOn(connect());
  await storeOn(connect()).fill('k', hello, 60_000);
  const names = ['mikrokit:e:orm', 'mikrokit:q:k', 'mikrokit:t:a', 'mikrokit:t:b'];
  const first = await sentBy(async () => {
    expect(await store.read(ask)).toMatchObject({ entry: hello, local: false });
    await expect.poll(() => store.size().entries).toBe(1);
  });
  expect(first).toEqual([
    ['mget', ...names],
    ['pttl', 'mikrokit:q:k'],
  ]);
  const second = await sentBy(async () => {
    const found = await store.read(ask);
    expect(found.local).toBe(true);
    expect(Buffer.from(found.entry!)).toEqual(hello);
  });
  expect(second).toEqual([['mget', ...names.filter(name => !name.includes(':q:'))]]);
  expect((await sentBy(() => store.read({ ...ask, refresh: true })))[0]).toEqual(['mget', ...names]);
});

test('what a refresh does not find is no longer copied', async () => {
  const store = storeOn(connect());
  await store.fill('k', hello, 60_000);
  await redis.unlink('mikrokit:q:k');
  expect((await store.read(ask)).local).toBe(true);
  expect((await store.read({ ...ask, refresh: true })).entry).toBeUndefined();
  expect(await store.read(ask)).toMatchObject({ entry: undefined, local: false });
});

test('copies stay within maxBytes', async () => {
  const store = storeOn(connect(), { local: { maxBytes: 20_000 } });
  for (let index = 0; index < 50; index++) {
    await store.fill(`k${index}`, Buffer.alloc(1_000), 60_000);
  }
  expect(store.size().bytes).toBeLessThanOrEqual(20_000);
  expect(store.size().entries).toBeGreaterThan(10);
  await store.dispose();
  expect(store.size()).toEqual({ bytes: 0, entries: 0 });
});

test('a Cluster is asked by single keys, for the registry before the versions', async () => {
  const client = cluster.client();
  await once(client, 'ready');
  const store = storeOn(client, { local: false });
  await store.begin(ask);
  const sent: string[] = [];
  const callBuffer = client.callBuffer.bind(client) as (command: string, args: string[]) => Promise<unknown>;
  (client as { callBuffer: unknown }).callBuffer = async (command: string, args: string[]) => {
    sent.push(`${command} ${args[0]}`);
    const answer = await callBuffer(command, args);
    sent.push(`answer ${args[0]}`);
    return answer;
  };
  await store.read(ask);
  expect(sent.slice(0, 2)).toEqual(['get mikrokit:e:orm', 'get mikrokit:q:k']);
  expect(sent.indexOf('get mikrokit:t:a')).toBeGreaterThan(sent.indexOf('answer mikrokit:e:orm'));
  expect(sent.indexOf('get mikrokit:t:b')).toBeLessThan(sent.indexOf('answer mikrokit:t:a'));
});

test('close() on a Cluster: the intent goes after all versions have gone, and stays if one could not', async () => {
  const client = cluster.client();
  await once(client, 'ready');
  const store = storeOn(client, { local: false });
  await store.begin(ask);
  await store.open('orm', { id: 'i', tags: ['a', 'b'], ttl: 30_000 });
  await store.close('orm', 'none', []); // The node knows the script from now on.
  const call = client.call.bind(client) as (command: string, args: string[]) => Promise<unknown>;
  const sent: string[] = [];
  let fail = true;
  (client as { call: unknown }).call = async (command: string, args: string[]) => {
    sent.push(command);
    if (fail && command === 'unlink' && args[0]!.endsWith(':b')) {
      throw new Error('no node is reached');
    }
    const answer = await call(command, args);
    sent.push(`answer ${command}`);
    return answer;
  };
  await expect(store.close('orm', 'i', ['a', 'b'])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect((await store.read(ask)).registry?.intents).toHaveLength(1);
  fail = false;
  sent.length = 0;
  expect(await store.close('orm', 'i', ['a', 'b'])).toBe(true);
  expect(sent).toEqual(['unlink', 'unlink', 'answer unlink', 'answer unlink', 'evalsha', 'answer evalsha']);
});

test('close(): an UNLINK that is refused leaves the intent', async () => {
  await redis.call('acl', ['setuser', 'half', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-unlink']);
  const store = storeOn(connect({ username: 'half', password: 'pw' }));
  await store.begin(ask);
  await store.open('orm', { id: 'i', tags: ['a'], ttl: 30_000 });
  await expect(store.close('orm', 'i', ['a'])).rejects.toMatchObject({
    code: 'DENIED',
    message: expect.stringContaining('the command UNLINK'),
  });
  expect((await store.read(ask)).registry?.intents).toHaveLength(1);
});

test('close(): a connection that breaks in between leaves the intent, or has dropped the versions', async () => {
  await using proxy = await startProxy(server.url);
  const client = connect({ retryStrategy: () => 20 }, proxy.url());
  const store = storeOn(client, { local: false });
  const direct = storeOn(connect(), { local: false });
  for (let round = 0; round < 30; round++) {
    const before = await direct.begin(ask);
    await direct.open('orm', { id: `i${round}`, tags: ['a'], ttl: 30_000 });
    await client.ping().catch(() => {});
    // The bytes arrive in portions, cut where they happen to be.
    await proxy.throttle(2_000 + 500 * round);
    const closing = store.close('orm', `i${round}`, ['a']).catch(() => 'failed');
    await sleep(round * 4);
    await proxy.reset();
    await proxy.pass();
    await closing;
    const after = await direct.read(ask);
    const isOpen = after.registry!.intents.some(({ id }) => id === `i${round}`);
    expect(isOpen || after.versions[0] !== before.versions[0]).toBe(true);
    await direct.close('orm', `i${round}`, ['a']);
  }
});

test('SCRIPT FLUSH, FLUSHALL and a restart are survived', async () => {
  const own = await startRedis({ args: [] });
  onTestFinished(() => own.stop());
  const client = connect({ retryStrategy: () => 20, maxRetriesPerRequest: null }, own.url);
  const store = storeOn(client);
  const lost: string[] = [];
  onTestFinished(store.watch!(() => lost.push('lost')));
  const round = async (): Promise<string> => {
    const { registry, versions } = await store.begin(ask);
    expect(versions).toHaveLength(2);
    await store.fill('k', hello, 60_000);
    await store.open('orm', { id: 'i', tags: ['a'], ttl: 30_000 });
    expect(await store.acquire('k', 'o', 1_000)).toBe(true);
    await store.release('k', 'o');
    expect(await store.close('orm', 'i', ['a'])).toBe(true);
    await store.renew('orm');
    return registry.epoch;
  };
  const first = await round();
  await client.script('FLUSH');
  await round();
  await client.script('FLUSH');
  expect(await store.close('orm', 'none', ['a'])).toBe(false);
  await client.flushall();
  const second = await round();
  expect(second).not.toBe(first);
  expect(lost).toEqual([]);
  const port = Number(new URL(own.url).port);
  await own.signal('SIGKILL');
  await own.stop();
  const again = await startRedis({ port });
  onTestFinished(() => again.stop());
  const third = await round();
  expect(third).not.toBe(second);
  expect(lost).toEqual(['lost']);
});

test('the registry does not expire; versions and entries do', async () => {
  const store = storeOn(connect());
  await store.begin(ask);
  await store.fill('k', hello, 60_000);
  await store.open('orm', { id: 'i', tags: ['a'], ttl: 100 });
  expect(await redis.pttl('mikrokit:e:orm')).toBe(-1);
  expect(await redis.pttl('mikrokit:t:a')).toBeGreaterThan(30_000);
  await store.begin({ ...ask, ttl: 120_000 });
  expect(await redis.pttl('mikrokit:t:a')).toBeGreaterThan(90_000);
  await store.begin({ ...ask, ttl: 1_000 });
  expect(await redis.pttl('mikrokit:t:a')).toBeGreaterThan(90_000);
  expect(await redis.pttl('mikrokit:q:k')).toBeGreaterThan(30_000);
});

test('a command that is sent twice, as after a reconnect, does not bring a version back', async () => {
  const client = connect();
  const store = storeOn(client);
  let script: unknown[] = [];
  const pipeline = client.pipeline.bind(client);
  (client as { pipeline: unknown }).pipeline = () => {
    const made = pipeline();
    const call = made.call.bind(made) as (command: string, args: unknown[]) => unknown;
    (made as { call: unknown }).call = (command: string, args: unknown[]) => {
      script = args;
      return call(command, args);
    };
    return made;
  };
  await store.begin({ ...ask, tags: [] });
  const { versions } = await store.begin({ ...ask, tags: ['a'] });
  await store.close('orm', 'none', ['a']);
  const again = await client.call('evalsha', script as string[]);
  expect(again).not.toBe(versions[0]);
  expect(String(again).split('-').slice(0, -1)).toEqual(versions[0]!.split('-').slice(0, -1));
});

test.each(['redis', 'cluster'])('another type, or another text, under the keys is as good as none: %s', async kind => {
  const client = kind === 'redis' ? connect() : cluster.client();
  const store = storeOn(client, { local: false });
  const wrong: (() => Promise<unknown>)[] = [
    () => client.rpush('mikrokit:e:orm', 'x'),
    () => client.set('mikrokit:e:orm', 'nonsense'),
    () => client.set('mikrokit:e:orm', 'epoch|1;no intent'),
    () => client.set('mikrokit:e:orm', ''),
    () => client.set('mikrokit:e:orm', Buffer.from([0xff, 0, 0x7c])),
  ];
  for (const spoil of wrong) {
    await client.del('mikrokit:e:orm');
    await spoil();
    await client.del('mikrokit:t:a');
    await client.hset('mikrokit:t:a', 'x', 'y');
    await client.set('mikrokit:t:b', '');
    await client.del('mikrokit:q:k');
    await client.rpush('mikrokit:q:k', 'x');
    await client.del('mikrokit:l:k');
    await client.rpush('mikrokit:l:k', 'x');
    expect(await store.read(ask)).toEqual({
      registry: undefined,
      versions: [undefined, undefined],
      entry: undefined,
      local: false,
    });
    expect(await store.close('orm', 'i', [])).toBe(false);
    await store.cancel('orm', 'i');
    await store.release('k', 'o');
    await store.wait('k', 1_000);
    expect(await store.acquire('k', 'o', 1_000)).toBe(true);
    await store.fill('k', hello, 1_000);
    const begun = await store.begin(ask);
    expect(begun.registry.intents).toEqual([]);
    expect(await store.read(ask)).toEqual({ ...begun, settled: undefined, entry: hello, local: false });
    await client.del('mikrokit:e:orm');
    await spoil();
    await store.open('orm', { id: 'i', tags: ['a'], ttl: 1_000 });
    expect(await store.close('orm', 'i', ['a'])).toBe(true);
    await client.del('mikrokit:e:orm');
    await spoil();
    await store.renew('orm');
    expect((await store.read(ask)).registry?.intents).toEqual([]);
  }
});

test('a lease without an end is none', async () => {
  await redis.set('mikrokit:l:k', 'somebody');
  const store = storeOn(connect());
  await store.wait('k', 1_000);
  expect(await store.acquire('k', 'o', 1_000)).toBe(true);
});

test('a registry from the future, as after a failover to a slower clock, settles all the same', async () => {
  const store = storeOn(connect(), { grace: 50 });
  const { epoch } = (await store.begin(ask)).registry;
  await redis.set('mikrokit:e:orm', `${epoch}|${Date.now() + 3_600_000}`);
  expect(await store.begin(ask)).toMatchObject({ settled: false, registry: { epoch } });
  await sleep(70);
  expect(await store.begin(ask)).toMatchObject({ settled: true, registry: { epoch } });
});

test('settled only grace after the registry was made, by whatever', async () => {
  const store = storeOn(connect(), { grace: 2_000 });
  await store.open('orm', { id: 'i', tags: [], ttl: 30_000 });
  expect((await store.begin(ask)).settled).toBe(false);
  await sleep(2_050);
  expect((await store.begin(ask)).settled).toBe(true);
  await store.renew('orm');
  expect((await store.begin(ask)).settled).toBe(true);
});

test.each(['redis', 'cluster'])('waiters are told by pub/sub: %s', async kind => {
  const connection = (): Parameters<typeof storeOn>[0] => (kind === 'redis' ? connect() : cluster.client());
  const [one, two] = [storeOn(connection()), storeOn(connection())];
  await one.acquire('k', 'o', 10_000);
  await two.wait('k', 500); // The subscriber connects.
  const took: number[] = [];
  for (let round = 0; round < 5; round++) {
    await one.acquire('k', 'o', 10_000);
    const waiting = two.wait('k', 5_000);
    await sleep(60);
    const start = performance.now();
    await one.release('k', 'o');
    await waiting;
    took.push(performance.now() - start);
  }
  // The poll is every 250 ms by then.
  expect(took.toSorted((a, b) => a - b)[2]).toBeLessThan(40);
});

test('without pub/sub, waiters poll', async () => {
  await redis.call('acl', ['setuser', 'deaf', 'reset', 'on', '>pw', '~*', 'resetchannels', '+@all']);
  const [one, two] = [connect({ username: 'deaf', password: 'pw' }), connect({ username: 'deaf', password: 'pw' })].map(
    client => storeOn(client),
  ) as [CacheStore, CacheStore];
  await one.check!();
  const took: number[] = [];
  for (let round = 0; round < 3; round++) {
    await one.acquire('k', 'o', 10_000);
    const waiting = two.wait('k', 5_000);
    await sleep(200);
    const start = performance.now();
    await one.release('k', 'o');
    await waiting;
    took.push(performance.now() - start);
  }
  expect(Math.min(...took)).toBeLessThan(150);
});

test("a crashed owner's lease ends by its time, within 100 ms", async () => {
  const store = storeOn(connect());
  const waited: number[] = [];
  // The least of three: the machine has others to serve.
  for (const key of ['a', 'b', 'c']) {
    const start = performance.now();
    await store.acquire(key, 'dead', 500);
    await store.wait(key, 5_000);
    waited.push(performance.now() - start);
  }
  expect(Math.min(...waited)).toBeGreaterThan(490);
  expect(Math.min(...waited)).toBeLessThan(600);
});

test('dispose() ends its own connection and leaves the client', async () => {
  const client = connect();
  const store = redisStore(client);
  await store.acquire('k', 'o', 10_000);
  await store.wait('k', 100);
  const subscribers = async (): Promise<number> =>
    String(await redis.call('client', ['list', 'type', 'pubsub']))
      .split('\n')
      .filter(Boolean).length;
  await expect.poll(subscribers).toBe(1);
  await store.dispose();
  await expect.poll(subscribers).toBe(0);
  expect(await client.ping()).toBe('PONG');
  expect(client.listenerCount('ready')).toBe(0);
});

test('a black hole: nothing resolves, wait() ends, check() does not reject', async () => {
  await using proxy = await startProxy(server.url);
  const store = storeOn(connect({ commandTimeout: 1_000 }, proxy.url()));
  await store.begin(ask);
  await proxy.blackHole();
  const start = performance.now();
  await expect(store.read(ask)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(store.begin(ask)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(store.close('orm', 'i', ['a'])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await store.wait('k', 300);
  await store.check!();
  expect(performance.now() - start).toBeLessThan(10_000);
});

test('a server that is away: everything rejects soon, check() does not', async () => {
  await using proxy = await startProxy(server.url);
  const client = connect({ enableOfflineQueue: false, retryStrategy: () => 20 }, proxy.url());
  await once(client, 'ready');
  const store = storeOn(client);
  await store.begin(ask);
  await proxy.refuse();
  await sleep(50);
  await store.check!();
  for (const call of [
    () => store.read(ask),
    () => store.begin(ask),
    () => store.open('orm', { id: 'i', tags: [], ttl: 1 }),
    () => store.close('orm', 'i', ['a']),
    () => store.fill('k', hello, 1),
    () => store.acquire('k', 'o', 1),
  ]) {
    await expect(call()).rejects.toMatchObject({ name: 'StoreError', code: 'UNAVAILABLE' });
  }
  await store.wait('k', 100);
  const lost = new Promise<void>(resolve => onTestFinished(store.watch!(resolve)));
  await proxy.pass();
  await lost;
  expect((await store.begin(ask)).versions).toHaveLength(2);
});

test('watch() tells of reconnects, not of the first connection, until it is stopped', async () => {
  const client = connect({ retryStrategy: () => 10 });
  const store = storeOn(client);
  let lost = 0;
  const stop = store.watch!(() => lost++);
  await once(client, 'ready');
  expect(lost).toBe(0);
  client.disconnect(true);
  await once(client, 'ready');
  expect(lost).toBe(1);
  stop();
  client.disconnect(true);
  await once(client, 'ready');
  expect(lost).toBe(1);
});

test('watch() tells of nodes of a Cluster that go and come', async () => {
  const client = cluster.client();
  const store = storeOn(client);
  let lost = 0;
  onTestFinished(store.watch!(() => lost++));
  await once(client, 'ready');
  await store.begin({ ...ask, tags: ['a', 'b', 'c', 'd', 'e', 'f'] });
  expect(lost).toBe(0);
  client.nodes('master')[0]!.disconnect();
  await expect.poll(() => lost).toBeGreaterThan(0);
});

test('check(): a replica is READ_ONLY', async () => {
  const { port } = new URL(server.url);
  await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', port] });
  const store = storeOn(connect({}, replica.url));
  await expect(store.check!()).rejects.toMatchObject({
    name: 'StoreError',
    code: 'READ_ONLY',
    message:
      'redisStore(): the server is a read-only replica, but the cache has to write. Connect the client to the primary (with Sentinel: role "master").',
  });
  await storeOn(connect()).check!();
});

test('a server that becomes a replica is unavailable, since it may become a primary again', async () => {
  const own = await startRedis({ args: [] });
  onTestFinished(() => own.stop());
  const client = connect({}, own.url);
  const store = storeOn(client);
  await store.check!();
  await client.replicaof('127.0.0.1', Number(new URL(server.url).port));
  await expect(store.open('orm', { id: 'i', tags: [], ttl: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await store.check!();
});

test.each(['evalsha', 'mget', 'set', 'unlink', 'pttl', 'multi'])(
  'check(): a user without %s is DENIED',
  async command => {
    await redis.call('acl', [
      'setuser',
      'poor',
      'reset',
      'on',
      '>s3cret',
      '~mikrokit:*',
      '&mikrokit:*',
      '+@all',
      `-${command}`,
    ]);
    const store = storeOn(connect({ username: 'poor', password: 's3cret' }));
    const error: unknown = await store.check!().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'StoreError', code: 'DENIED' });
    expect(inspect(error, { depth: 9 })).not.toContain('s3cret');
  },
);

test('check(): a user without the keys of the prefix is DENIED; with what the message names it works', async () => {
  await redis.call('acl', ['setuser', 'poor', 'reset', 'on', '>pw', '~other:*', '&*', '+@all']);
  await expect(storeOn(connect({ username: 'poor', password: 'pw' })).check!()).rejects.toMatchObject({
    code: 'DENIED',
    message: expect.stringContaining('ACL SETUSER <user> on ~mikrokit:* &mikrokit:*'),
  });
  const message = await storeOn(connect({ username: 'poor', password: 'pw' })).check!().catch(
    (error: unknown) => (error as Error).message,
  );
  const granted = /ACL SETUSER <user> (.*)\.$/.exec(String(message))![1]!.split(' ');
  await redis.call('acl', ['setuser', 'granted', 'reset', '>pw', ...granted]);
  const [one, two] = [1, 2].map(() => storeOn(connect({ username: 'granted', password: 'pw' }))) as [
    CacheStore,
    CacheStore,
  ];
  await one.check!();
  await one.begin(ask);
  await one.open('orm', { id: 'i', tags: ['a'], ttl: 1_000 });
  expect(await one.close('orm', 'i', ['a'])).toBe(true);
  await one.acquire('k', 'o', 10_000);
  const waiting = two.wait('k', 5_000);
  await sleep(100);
  await one.release('k', 'o');
  await waiting;
});

test('check(): a node of a Cluster alone is refused, whichever slots it has', async () => {
  const store = storeOn(connect({}, cluster.nodes[0]!.url));
  for (let round = 0; round < 20; round++) {
    await expect(store.check!()).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('new Cluster([...])'),
    });
  }
});

test('check() leaves nothing behind', async () => {
  await storeOn(connect()).check!();
  expect(await redis.keys('*')).toEqual([]);
});

test('no error carries what was sent', async () => {
  const own = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] });
  onTestFinished(() => own.stop());
  const store = storeOn(connect({}, own.url));
  await store.check!();
  for (const call of [
    () => store.fill('k', Buffer.from('a secret row'), 1_000),
    () => store.open('orm', { id: 'secret-id', tags: [], ttl: 1_000 }),
  ]) {
    const error: unknown = await call().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: 'redisStore(): Redis answered with the error OOM.' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
  }
});

test('clients of other shapes do: protocol 2, numbers as strings, automatic pipelines', async () => {
  const clients = [
    connect({ protocol: 2 }),
    connect({ stringNumbers: true }),
    connect({ enableAutoPipelining: true }),
    cluster.client({ enableAutoPipelining: true }),
    cluster.client({ redisOptions: { protocol: 2, stringNumbers: true } }),
  ];
  for (const [index, client] of clients.entries()) {
    const store = storeOn(client, { prefix: `p${index}` });
    await store.check!();
    expect((await store.begin(ask)).versions).toHaveLength(2);
    await store.open('orm', { id: 'i', tags: ['a'], ttl: 1_000 });
    expect((await store.read(ask)).registry?.intents).toHaveLength(1);
    expect(await store.close('orm', 'i', ['a'])).toBe(true);
    expect(await store.acquire('k', 'o', 10_000)).toBe(true);
    expect(await store.acquire('k', 'p', 10_000)).toBe(false);
    await store.fill('k', hello, 60_000);
    expect((await store.read({ ...ask, refresh: true })).entry).toEqual(hello);
    await store.wait('k', 200);
    const waiting = store.wait('k', 5_000);
    await store.release('k', 'o');
    await waiting;
  }
});

test('the text of a registry', () => {
  expect(parseRegistry('e-1|5')).toEqual({ epoch: 'e-1', intents: [] });
  expect(parseRegistry('e|5;i:9:a,b;j:10:', 9)).toEqual({
    epoch: 'e',
    intents: [
      { id: 'i', tags: ['a', 'b'], expired: true },
      { id: 'j', tags: [], expired: false },
    ],
  });
  for (const text of ['', 'e', 'e|', '|5', 'e|x', 'e|5;', 'e|5;i', 'e|5;i:9', 'e|5;i:x:a', 'e|5;i:9:a;', 'é|5']) {
    expect(parseRegistry(text)).toBeUndefined();
  }
});
