import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { storeConformance } from '@mikrokit/result-cache/conformance';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { redisStore } from '../../packages/result-cache/src/redis-store.ts';
import { Known } from '../../packages/result-cache/src/redis/known.ts';
import type { LocalOptions } from '../../packages/result-cache/src/redis/store-settings.ts';
import type { BeginAsk, CacheStore, ReadAsk } from '../../packages/result-cache/src/store.ts';
import { type Proxy as FaultProxy, startProxy } from '../harness/proxy.ts';
import { type RedisServer, startRedis } from '../harness/redis.ts';

const ask = { registry: 'orm', key: 'k', tags: ['a', 'b'], ttl: 60_000 };
const names = ['mikrokit:e:orm', 'mikrokit:t:a', 'mikrokit:t:b'];
const hello = Buffer.from('hello');
/** A message from Redis takes far less, but the machine may be busy. */
const LATENCY = 20;

let server: RedisServer;
/** Looks at what the store wrote. */
let redis: Redis;

beforeAll(async () => {
  server = await startRedis({ args: [] });
  redis = server.client();
}, 180_000); // It may have to be installed.

beforeEach(async () => {
  await server.flush();
});

afterAll(async () => {
  await server.stop();
});

/** For as long as a message takes; what has arrived is read, also where this process was kept from running meanwhile. */
async function news(): Promise<void> {
  await sleep(LATENCY);
  await nextTurn();
  await nextTurn();
}

function connect(options: Omit<RedisOptions, 'replyMapping'> = {}, url = server.url): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => 20, ...options });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

function storeOn(client: Redis, local: LocalOptions = {}): CacheStore {
  const store = redisStore(client, { grace: 1, local: { push: true, ...local } });
  onTestFinished(() => store.dispose());
  return store;
}

/** What the server gets of `run`, by its first words; without heartbeats. */
async function sentBy(run: () => Promise<unknown>, to = redis): Promise<string[]> {
  const monitor = await to.monitor();
  const sent: string[] = [];
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua' && !args[1]?.includes(':x:')) {
      sent.push(args.join(' '));
    }
  });
  await run();
  await to.ping('the end');
  while (!/ping the end/i.test(sent.at(-1) ?? '')) {
    await sleep(5);
  }
  monitor.disconnect();
  return sent.slice(0, -1);
}

/** How often `store` asks Redis, by the commands of its client. */
function countReads(client: Redis): () => number {
  const counted = client as unknown as { callBuffer(command: string, args: string[]): Promise<unknown> };
  const callBuffer = counted.callBuffer.bind(client);
  let reads = 0;
  counted.callBuffer = (command, args) => {
    reads++;
    return callBuffer(command, args);
  };
  return () => reads;
}

/** Reads until no question is asked. */
async function warm(store: CacheStore, client: Redis, asked: ReadAsk = ask): Promise<void> {
  const reads = countReads(client);
  await expect
    .poll(
      async () => {
        const before = reads();
        await store.read(asked);
        return reads() - before;
      },
      { interval: 5, timeout: 5_000 },
    )
    .toBe(0);
}

async function filled(store: CacheStore, asked: BeginAsk & ReadAsk = ask): Promise<readonly string[]> {
  const { versions } = await store.begin(asked);
  await store.fill(asked.key, hello, asked.ttl);
  return versions;
}

async function isKnown(store: CacheStore, client: Redis): Promise<boolean> {
  const reads = countReads(client);
  await store.read(ask);
  return reads() === 0;
}

interface Connection {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** The connection that is told, and the one that has asked for it. */
async function pair(of = redis): Promise<{ tracker: Connection | undefined; subscriber: Connection | undefined }> {
  const all = String(await of.client('LIST'))
    .trim()
    .split('\n')
    .map(line => {
      const fields = Object.fromEntries(line.split(' ').map(field => field.split(/=(.*)/s) as [string, string]));
      return { id: fields['id']!, fields };
    });
  const tracker = all.find(({ fields }) => fields['flags']!.includes('t'));
  return { tracker, subscriber: all.find(({ id }) => id === tracker?.fields['redir']) };
}

/**
 * A client whose connections for push mode go through proxies of their own: first the subscriber's.
 *
 * @param onlyFirst those that replace them do not
 */
async function proxied(onlyFirst = false): Promise<{ client: Redis; subscriber: FaultProxy; tracker: FaultProxy }> {
  const [subscriber, tracker] = [await startProxy(server.url), await startProxy(server.url)];
  onTestFinished(() => subscriber.stop());
  onTestFinished(() => tracker.stop());
  const client = connect();
  const duplicate = client.duplicate.bind(client);
  let count = 0;
  (client as { duplicate: unknown }).duplicate = (options: object) => {
    const proxy = count++ % 2 ? tracker : subscriber;
    return duplicate(onlyFirst && count > 2 ? options : { ...options, host: '127.0.0.1', port: proxy.port });
  };
  return { client, subscriber, tracker };
}

test('what is sent: all that decides once, then nothing, until it changes', async () => {
  const client = connect();
  const store = storeOn(client);
  await filled(store);
  await warm(store, client);
  expect(
    await sentBy(async () => {
      for (let round = 0; round < 100; round++) {
        const found = await store.read(ask);
        expect(found).toMatchObject({ local: true, registry: { intents: [] } });
        expect(Buffer.from(found.entry!)).toEqual(hello);
        expect(found.versions.every(Boolean)).toBe(true);
      }
    }),
  ).toEqual([]);
  const mget = `mget ${names.join(' ')}`;
  const other = { ...ask, tags: ['a', 'c'] };
  expect(
    await sentBy(async () => {
      await store.read(other);
      expect((await store.read(other)).versions[1]).toBeUndefined();
    }),
  ).toEqual(['mget mikrokit:e:orm mikrokit:t:a mikrokit:t:c']);
  expect(await sentBy(() => store.read({ ...ask, refresh: true }))).toEqual([
    'mget mikrokit:e:orm mikrokit:q:k mikrokit:t:a mikrokit:t:b',
    'pttl mikrokit:q:k',
  ]);
  await store.close('orm', 'none', ['b']);
  await news();
  expect(await sentBy(() => store.read(ask))).toEqual([mget]);
  expect(await sentBy(() => store.read(ask))).toEqual([]);
});

test('a miss, which makes what is not there, costs those that hit nothing', async () => {
  const client = connect();
  const store = storeOn(client);
  await filled(store);
  await warm(store, client);
  const begin = await sentBy(async () => {
    await filled(store, { ...ask, key: 'other', tags: ['a', 'new'] });
    await store.read(ask);
  });
  expect(begin.some(line => line.startsWith('mget'))).toBe(false);
});

test('what a begin has made is read at once, though it was known not to be there', async () => {
  const { client, subscriber } = await proxied();
  const store = storeOn(client, { pushTimeout: 60_000 });
  await store.begin({ ...ask, tags: [] });
  await store.fill('k', hello, 60_000);
  await warm(store, client);
  await subscriber.blackHole(); // No message helps.
  const { versions } = await store.begin(ask);
  expect((await store.read(ask)).versions).toEqual(versions);
});

test('without push a read of a copy asks', async () => {
  const client = connect();
  const store = redisStore(client, { local: {} });
  onTestFinished(() => store.dispose());
  await filled(store);
  expect(await sentBy(() => store.read(ask))).toEqual([`mget ${names.join(' ')}`]);
  expect((await pair()).tracker).toBeUndefined();
});

test.each<readonly [string, () => Promise<unknown>]>([
  ['SET of a version', () => redis.set(names[1]!, 'another')],
  ['UNLINK of a version', () => redis.unlink(names[1]!)],
  ['PEXPIRE of a version', () => redis.pexpire(names[1]!, 1)],
  ['SET of the registry', () => redis.set(names[0]!, 'another|1')],
  ['UNLINK of the registry', () => redis.unlink(names[0]!)],
  ['FLUSHALL', () => redis.flushall()],
  ['FLUSHDB ASYNC', () => redis.flushdb('ASYNC')],
])('another client: %s', async (_, change) => {
  const client = connect();
  const store = storeOn(client);
  await filled(store);
  await warm(store, client);
  const before = await store.read(ask);
  await change();
  // What expires is told of when Redis comes across it.
  await expect
    .poll(async () => await store.read(ask), { interval: 2, timeout: 900 })
    .not.toEqual({ ...before, entry: expect.anything() });
});

test('another process: open, close, cancel, renew', async () => {
  const client = connect();
  const [store, other] = [storeOn(client), storeOn(connect())];
  const [a, b] = await filled(store);
  await warm(store, client);
  await other.open('orm', { id: 'i', tags: ['a'], ttl: 30_000 });
  await news();
  expect((await store.read(ask)).registry?.intents).toMatchObject([{ id: 'i' }]);
  await warm(store, client);
  await other.close('orm', 'i', ['a']);
  await news();
  expect(await store.read(ask)).toMatchObject({ registry: { intents: [] }, versions: [undefined, b] });
  const { versions } = await other.begin(ask);
  await news();
  expect((await store.read(ask)).versions).toEqual(versions);
  expect(versions).not.toContain(a);
  await other.open('orm', { id: 'j', tags: ['a'], ttl: 30_000 });
  await news();
  await warm(store, client);
  await other.cancel('orm', 'j');
  await news();
  const { registry } = await store.read(ask);
  expect(registry?.intents).toEqual([]);
  await warm(store, client);
  await other.renew('orm');
  await news();
  expect((await store.read(ask)).registry?.epoch).not.toBe(registry?.epoch);
});

test('own writes show at once, without any message', async () => {
  const { client, subscriber } = await proxied();
  const store = storeOn(client, { pushTimeout: 60_000 });
  await filled(store);
  await warm(store, client);
  await subscriber.blackHole();
  const begun = await store.begin(ask);
  // Reads all the while, which remember what they find.
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      await Promise.all([store.read(ask), store.read(ask), nextTurn()]);
    }
  })();
  for (let round = 0; round < 200; round++) {
    const id = `i${round}`;
    const before = await store.begin(ask);
    await store.open('orm', { id, tags: ['a'], ttl: 30_000 });
    expect((await store.read(ask)).registry?.intents).toHaveLength(1);
    expect(await store[round % 2 ? 'close' : 'cancel']('orm', id, ['a'])).not.toBe(false);
    const after = await store.read(ask);
    expect(after.registry?.intents).toEqual([]);
    expect(after.versions).toEqual([round % 2 ? undefined : before.versions[0], before.versions[1]]);
    await store.renew('orm');
    expect((await store.read(ask)).registry?.epoch).not.toBe(after.registry?.epoch);
  }
  isOver = true;
  await reading;
  expect(begun.versions).toHaveLength(2);
});

test('own writes show to reads that begin before they are answered', async () => {
  const { client, subscriber } = await proxied();
  const store = storeOn(client, { pushTimeout: 60_000 });
  const [, b] = await filled(store);
  await warm(store, client);
  await subscriber.blackHole();
  const opening = store.open('orm', { id: 'i', tags: ['a'], ttl: 30_000 });
  expect((await store.read(ask)).registry?.intents).toHaveLength(1);
  await opening;
  await warm(store, client);
  const closing = store.close('orm', 'i', ['a']);
  expect(await store.read(ask)).toMatchObject({ registry: { intents: [] }, versions: [undefined, b] });
  await closing;
});

test('scripts that the server does not know are sent again: reads in between do not last', async () => {
  const { client, subscriber } = await proxied();
  const store = storeOn(client, { pushTimeout: 60_000 });
  await filled(store);
  await warm(store, client);
  await subscriber.blackHole();
  for (let round = 0; round < 20; round++) {
    await redis.script('FLUSH');
    const opening = store.open('orm', { id: `i${round}`, tags: ['a'], ttl: 30_000 });
    const reads = [store.read(ask), nextTurn().then(() => store.read(ask))];
    await opening;
    expect((await store.read(ask)).registry?.intents).toHaveLength(round + 1);
    await Promise.all(reads);
    expect((await store.read(ask)).registry?.intents).toHaveLength(round + 1);
  }
});

test('the answer of a read is not remembered if the news of a change came before it', async () => {
  await using slow = await startProxy(server.url);
  const client = connect({}, slow.url());
  const { port } = new URL(server.url);
  const duplicate = client.duplicate.bind(client);
  (client as { duplicate: unknown }).duplicate = (options: object) => duplicate({ ...options, port: Number(port) });
  const store = storeOn(client);
  const [a] = await filled(store);
  await warm(store, client);
  await slow.delay(150);
  await redis.unlink(names[2]!); // For a question to be asked.
  await news();
  const monitor = await redis.monitor();
  let answered = false;
  monitor.on('monitor', (_time: string, [command]: string[]) => void (answered ||= /mget/i.test(command!)));
  const reading = store.read(ask);
  await expect.poll(() => answered, { interval: 5 }).toBe(true); // The answer is on its way.
  monitor.disconnect();
  await redis.set(names[1]!, 'another');
  await news();
  expect((await reading).versions).toEqual([a, undefined]);
  expect((await store.read(ask)).versions).toEqual(['another', undefined]);
});

test('marks: of several that ask, of one that fails, and when two answers differ', () => {
  const known = new Known(10_000);
  const [first, second] = [known.ask(['x', 'y']), known.ask(['y', 'z'])];
  expect(known.get(['x'])).toBeUndefined();
  known.forget(['y']);
  const third = known.ask(['y']);
  known.learn(first, ['1', 'old']);
  known.learn(second, ['old', '3']);
  expect(known.get(['x', 'z'])).toEqual(['1', '3']);
  expect(known.get(['x', 'y'])).toBeUndefined();
  known.learn(third, ['2']);
  expect(known.get(['x', 'y', 'z'])).toEqual(['1', '2', '3']);
  const fourth = known.ask(['x', 'u']);
  known.learn(fourth, ['other', '4']);
  expect(known.get(['x'])).toBeUndefined();
  expect(known.get(['u'])).toEqual(['4']);
  const fifth = known.ask(['v']);
  known.giveUp(fifth);
  known.learn(fifth, ['5']);
  expect(known.get(['v'])).toBeUndefined();
  known.compare(['u', 'y'], ['4', 'other']);
  expect(known.get(['u'])).toEqual(['4']);
  expect(known.get(['y'])).toBeUndefined();
  for (let index = 0; index < 1_000; index++) {
    known.learn(known.ask([`key-${index}`]), ['value']);
  }
  expect(known.bytes).toBeLessThanOrEqual(10_000);
  expect(known.get(['key-999'])).toEqual(['value']);
  known.clear();
  expect(known.bytes).toBe(0);
});

test('maxBytes holds for copies and what is known together', async () => {
  const client = connect();
  const store = storeOn(client, { maxBytes: 40_000 });
  await store.check!();
  for (let index = 0; index < 100; index++) {
    await filled(store, { ...ask, key: `k${index}`, tags: [`tag-${index}`] });
    await store.read({ ...ask, key: `k${index}`, tags: [`tag-${index}`] });
  }
  expect(store.size().bytes).toBeLessThanOrEqual(40_000);
  expect(store.size().bytes).toBeGreaterThan(35_000);
});

test.each(['subscriber', 'tracker'] as const)(
  'CLIENT KILL of the %s: all is asked for, then it works again',
  async who => {
    const client = connect();
    const store = storeOn(client);
    await filled(store);
    await warm(store, client);
    const before = await pair();
    await redis.client('KILL', 'ID', before[who]!.id);
    await redis.set(names[1]!, 'another');
    await news();
    expect((await store.read(ask)).versions[0]).toBe('another');
    await warm(store, client);
    expect((await store.read(ask)).versions[0]).toBe('another');
    await expect.poll(async () => (await pair()).subscriber).toBeDefined();
    expect((await pair()).tracker!.id).not.toBe(before.tracker!.id);
    await redis.set(names[1]!, 'yet another');
    await news();
    expect((await store.read(ask)).versions[0]).toBe('yet another');
  },
);

test('a reconnect of the client itself: what is known is dropped', async () => {
  const client = connect();
  const store = storeOn(client);
  await filled(store);
  await warm(store, client);
  client.disconnect(true);
  await once(client, 'ready');
  expect(await isKnown(store, client)).toBe(false);
  await warm(store, client);
});

test('SIGKILL of the server and a restart', async () => {
  const own = await startRedis({ args: [] });
  onTestFinished(() => own.stop());
  const client = connect({ maxRetriesPerRequest: null }, own.url);
  const store = storeOn(client);
  const [a] = await filled(store);
  await warm(store, client);
  const port = Number(new URL(own.url).port);
  const lost = once(client, 'close');
  await own.signal('SIGKILL');
  await own.stop();
  await lost;
  const reading = store.read(ask);
  await sleep(300);
  const again = await startRedis({ port });
  onTestFinished(() => again.stop());
  expect(await reading).toMatchObject({ registry: undefined, versions: [undefined, undefined] });
  const [second] = await filled(store);
  expect(second).not.toBe(a);
  await warm(store, client);
  const looking = again.client();
  await looking.set(names[1]!, 'another');
  await news();
  expect((await store.read(ask)).versions[0]).toBe('another');
});

describe.each(['subscriber', 'tracker', 'client'] as const)('a black hole: the connection of the %s', who => {
  test('for no longer than pushTimeout a read is behind', async () => {
    const proxies = await proxied();
    await using own = await startProxy(server.url);
    let { client } = proxies;
    if (who === 'client') {
      // As after a failover: reads and writes go elsewhere than the tracking; here, nowhere.
      client = connect({ commandTimeout: 5_000 }, own.url());
      const { port } = new URL(server.url);
      const duplicate = client.duplicate.bind(client);
      (client as { duplicate: unknown }).duplicate = (options: object) => duplicate({ ...options, port: Number(port) });
    }
    const hole = who === 'client' ? own : proxies[who];
    const store = storeOn(client, { pushTimeout: 400 });
    await filled(store);
    await warm(store, client);
    await hole.blackHole();
    const start = performance.now();
    await redis.set(names[1]!, 'another');
    let behind = 0;
    for (;;) {
      const at = performance.now();
      const found = await Promise.race([store.read(ask), sleep(20)]);
      // No answer, through the black hole: it was asked for.
      if (!found || found.versions[0] === 'another') {
        break;
      }
      behind = at - start;
      await sleep(1);
    }
    expect(behind).toBeLessThan(410);
    await sleep(500);
    await redis.set(names[1]!, 'yet another');
    if (who === 'tracker') {
      // It is only asked once; the messages still come.
      await news();
    }
    await hole.pass();
    expect((await store.read(ask)).versions[0]).toBe('yet another');
    await warm(store, client);
    expect((await store.read(ask)).versions[0]).toBe('yet another');
    await redis.set(names[1]!, 'the last');
    await news();
    expect((await store.read(ask)).versions[0]).toBe('the last');
  });
});

test('a client that leads to another server than the tracking, as after a failover, is never trusted', async () => {
  const other = await startRedis({ args: [] });
  onTestFinished(() => other.stop());
  const client = connect();
  const duplicate = client.duplicate.bind(client);
  const port = Number(new URL(other.url).port);
  (client as { duplicate: unknown }).duplicate = (options: object) => duplicate({ ...options, port });
  const store = storeOn(client, { pushTimeout: 200 });
  await store.check!();
  await filled(store);
  for (let round = 0; round < 20; round++) {
    await redis.set(names[1]!, `version-${round}`);
    expect((await store.read(ask)).versions[0]).toBe(`version-${round}`);
    await sleep(20);
  }
});

test('a redirect that is broken without a word is mended', async () => {
  const { client, subscriber } = await proxied(true);
  const store = storeOn(client, { pushTimeout: 300 });
  await filled(store);
  await warm(store, client);
  const before = await pair();
  await subscriber.blackHole();
  await redis.client('KILL', 'ID', before.subscriber!.id);
  await redis.set(names[1]!, 'another');
  await sleep(320);
  expect((await store.read(ask)).versions[0]).toBe('another');
  await warm(store, client); // The black hole stays one.
  expect((await pair()).subscriber).toBeDefined();
});

test('a process that stood still does not use what it knew', async () => {
  const client = connect();
  const store = storeOn(client, { pushTimeout: 200 });
  await filled(store);
  await warm(store, client);
  const start = performance.now();
  while (performance.now() - start < 250) {
    // Neither timers nor sockets.
  }
  expect(await isKnown(store, client)).toBe(false);
  await warm(store, client);
});

test('heartbeats: two in pushTimeout, which leave nothing behind; others are not told of them', async () => {
  const { client, subscriber } = await proxied();
  const [store, other] = [storeOn(connect(), { pushTimeout: 1_000 }), storeOn(client, { pushTimeout: 10_000 })];
  await store.check!();
  await other.check!();
  await news();
  const told = subscriber.stats.bytesDown;
  const monitor = await redis.monitor();
  let beats = 0;
  monitor.on('monitor', (_time: string, args: string[]) => void (beats += args[1]?.includes(':x:') ? 1 : 0));
  const begun = performance.now();
  await expect.poll(() => beats).toBeGreaterThan(6);
  monitor.disconnect();
  expect(beats).toBeLessThanOrEqual((performance.now() - begun) / 500 + 2);
  expect(subscriber.stats.bytesDown).toBe(told);
  await store.dispose();
  await expect.poll(() => redis.keys('*:x:*').then(keys => keys.length)).toBeLessThanOrEqual(1);
});

test('dispose() ends both connections and leaves the client', async () => {
  const client = connect();
  const store = storeOn(client);
  await store.check!();
  expect((await pair()).subscriber).toBeDefined();
  await store.dispose();
  await expect.poll(() => pair()).toEqual({ tracker: undefined, subscriber: undefined });
  expect(await client.ping()).toBe('PONG');
  expect(client.listenerCount('close')).toBe(0);
  const unused = storeOn(client);
  await unused.dispose();
  const atOnce = storeOn(client);
  void atOnce.check!();
  await atOnce.dispose();
  await sleep(100);
  expect(await pair()).toEqual({ tracker: undefined, subscriber: undefined });
});

test('a process ends by itself once the store is disposed of, and its client is closed', async () => {
  const source = `
    import { Redis } from 'ioredis';
    import { redisStore } from ${JSON.stringify(new URL('../../packages/result-cache/src/redis-store.ts', import.meta.url).href)};
    const client = new Redis(${JSON.stringify(server.url)});
    const store = redisStore(client, { local: { push: true } });
    await store.check();
    await store.read({ registry: 'r', key: 'k', tags: [] });
    await store.dispose();
    await client.quit();
    console.log('done');
  `;
  const child = spawn(process.execPath, ['--conditions=@mikrokit/source', '--input-type=module', '-e', source], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 10_000,
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  expect([output.trim(), code]).toEqual(['done', 0]);
});

test('a server that is away: no error is unhandled, and it begins once the server is there', async () => {
  await using proxy = await startProxy(server.url);
  await proxy.refuse();
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', onUnhandled);
  onTestFinished(() => void process.off('unhandledRejection', onUnhandled));
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => printed.mockRestore());
  const client = connect({ enableOfflineQueue: false }, proxy.url());
  const store = storeOn(client);
  await store.check!();
  await expect(store.read(ask)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await sleep(300);
  await proxy.pass();
  await expect.poll(() => client.status).toBe('ready');
  await filled(store);
  await warm(store, client);
  for (let round = 0; round < 5; round++) {
    await proxy.reset();
    await sleep(30 * round);
    await proxy.pass();
  }
  await expect.poll(() => client.status).toBe('ready');
  await filled(store);
  await warm(store, client);
  expect(unhandled).toEqual([]);
  expect(printed).not.toHaveBeenCalled();
});

test('check(): a user who may not be told is DENIED; with what the message names it works', async () => {
  const base = ['reset', 'on', '>pw', '~mikrokit:*', '&mikrokit:*'];
  const categories = '+@read +@write +@scripting +@transaction +@pubsub +@connection +time +info'.split(' ');
  await redis.call('acl', ['setuser', 'deaf', ...base, ...categories]);
  const options = { username: 'deaf', password: 'pw' };
  const error: unknown = await refusalOf(storeOn(connect(options)));
  expect(error).toMatchObject({ name: 'StoreError', code: 'DENIED' });
  const granted = /ACL SETUSER <user> (.*)\. Or leave local\.push out\.$/
    .exec((error as Error).message)![1]!
    .split(' ');
  await redis.call('acl', ['setuser', 'deaf', ...granted]);
  const client = connect(options);
  const store = storeOn(client);
  await store.check!();
  await filled(store);
  await warm(store, client);
  await redis.call('acl', ['setuser', 'mute', ...base, ...categories, '&*', '-client|tracking']);
  expect(await refusalOf(storeOn(connect({ ...options, username: 'mute' })))).toMatchObject({ code: 'DENIED' });
});

/** What takes longer than `check()` waits goes without push and is tried again: here, it is asked again if it has waited so long. */
async function refusalOf(store: CacheStore): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const began = performance.now();
    try {
      await store.check!();
    } catch (error) {
      return error;
    }
    const took = performance.now() - began;
    if (took < 300 || attempt === 10) {
      throw new Error(`It was not refused, in ${took.toFixed(0)} ms.`);
    }
  }
}

test('clients of other shapes do: protocol 2, numbers as strings, automatic pipelines, other databases', async () => {
  const { port } = new URL(server.url);
  for (const client of [
    connect({ protocol: 2 }),
    connect({ stringNumbers: true }),
    connect({ enableAutoPipelining: true }),
    connect({ lazyConnect: true, enableReadyCheck: false }),
    connect({}, `redis://127.0.0.1:${port}/3`),
  ]) {
    const store = storeOn(client);
    await store.check!();
    await filled(store);
    await expect.poll(async () => (await store.read(ask)).local && store.size().bytes > 700).toBe(true);
    await client.unlink(names[1]!);
    await news();
    expect((await store.read(ask)).versions[0]).toBeUndefined();
    await store.dispose();
    await client.flushall();
  }
});

test('two stores at random for some seconds: own writes at once, those of the other within a message', async () => {
  const tags = ['s-0', 's-1', 's-2'];
  const clients = [connect(), connect()];
  const stores = clients.map(client => storeOn(client));
  await Promise.all(stores.map(store => store.check!()));
  const reads = clients.map(countReads);
  const end = performance.now() + 4_000;
  /** When and by whom a version was dropped. */
  const gone = new Map<string, { at: number; by: number }>();
  const open = new Map<string, { at: number; by: number }>();
  let lag = 0;
  let total = 0;
  const write = async (by: number): Promise<void> => {
    for (let round = 0; performance.now() < end; round++) {
      const tag = tags[Math.floor(Math.random() * tags.length)]!;
      const id = `w${by}-${round}`;
      await stores[by]!.open('orm', { id, tags: [tag], ttl: 30_000 });
      open.set(id, { at: performance.now(), by });
      await sleep(Math.random() * 4);
      const before = await redis.get(`mikrokit:t:${tag}`);
      open.delete(id);
      expect(await stores[by]!.close('orm', id, [tag])).toBe(true);
      if (before !== null) {
        gone.set(before, { at: performance.now(), by });
      }
      await sleep(Math.random() * 25);
    }
  };
  const read = async (by: number): Promise<void> => {
    const store = stores[by]!;
    while (performance.now() < end) {
      await nextTurn();
      const asked = {
        ...ask,
        key: `k-${Math.floor(Math.random() * 3)}`,
        tags: tags.toSorted(() => Math.random() - 0.5),
      };
      const start = performance.now();
      const isOpen = [...open].filter(each => each[1].at < start);
      const found = await store.read(asked);
      total++;
      const late = (since: { at: number; by: number }): void => {
        expect(since.by, 'a write of its own').not.toBe(by);
        lag = Math.max(lag, start - since.at);
      };
      for (const version of found.versions) {
        const dropped = version === undefined ? undefined : gone.get(version);
        if (dropped !== undefined && dropped.at < start) {
          late(dropped);
        }
      }
      for (const [id, since] of isOpen) {
        if (open.has(id) && !found.registry?.intents.some(each => each.id === id)) {
          late(since);
        }
      }
      if (found.versions.includes(undefined) || found.entry === undefined) {
        await filled(store, asked);
      }
    }
  };
  await Promise.all([0, 1].flatMap(by => [write(by), read(by), read(by), read(by)]));
  const asked = reads.reduce((sum, each) => sum + each(), 0);
  expect(gone.size).toBeGreaterThan(20);
  expect(asked / total).toBeLessThan(0.9);
  expect(lag).toBeLessThan(200);
  console.log(`${total} reads, ${asked} questions, ${gone.size} writes; at most ${lag.toFixed(1)} ms behind`);
}, 20_000);

describe('one process', () => {
  storeConformance({
    test,
    createStore: async () => {
      await server.flush();
      const client = new Redis(server.url);
      const store = redisStore(client, { grace: 100, local: { push: true } });
      await store.check!();
      return {
        stores: [store, store],
        lose: async () => {
          await server.flush();
          await news();
        },
        end: async () => client.disconnect(),
      };
    },
  });
});

describe('two processes, where a write takes as long as the message of it', () => {
  storeConformance({
    test,
    createStore: async () => {
      await server.flush();
      const clients = [new Redis(server.url), new Redis(server.url)] as const;
      const make = async (client: Redis): Promise<CacheStore> => {
        const store = redisStore(client, { grace: 100, local: { push: true } });
        await store.check!();
        return heard(store);
      };
      return {
        stores: [await make(clients[0]), await make(clients[1])],
        lose: async () => {
          await server.flush();
          await news();
        },
        end: async () => clients.forEach(client => client.disconnect()),
      };
    },
  });
});

/** What it changes has been told to all when it resolves. */
function heard(store: CacheStore): CacheStore {
  const then = async <T>(writing: Promise<T>): Promise<T> => {
    const result = await writing;
    await news();
    return result;
  };
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') {
        return value;
      }
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args);
        return ['begin', 'open', 'close', 'cancel', 'renew'].includes(String(name))
          ? then(result as Promise<unknown>)
          : result;
      };
    },
  });
}
