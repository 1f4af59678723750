import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from './processes.ts';
import { startProxy } from './proxy.ts';
import { startRedis, type RedisServer } from './redis.ts';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
}, 180_000); // It may have to be installed.

afterAll(() => redis.stop());

test('is a real server: expiry to the millisecond, scripts, publish and subscribe', async () => {
  const client = redis.client();
  await client.set('key', 'value', 'PX', 60_000);
  // In seconds it would be 60.
  expect(await client.pttl('key')).toBeGreaterThan(30_000);
  expect(await client.eval(`return redis.call('get', KEYS[1]) .. '!'`, 1, 'key')).toBe('value!');
  const subscriber = redis.client();
  await subscriber.subscribe('news');
  const heard = once(subscriber, 'message');
  await client.publish('news', 'hello');
  expect(await heard).toEqual(['news', 'hello']);
});

test('flush() empties it', async () => {
  const client = redis.client();
  await client.set('key', 'value');
  await redis.flush();
  expect(await client.dbsize()).toBe(0);
});

test('works through the fault proxy', async () => {
  await using proxy = await startProxy(redis.url);
  const { Redis } = await import('ioredis');
  const client = new Redis(proxy.url(), { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => {});
  expect(await client.ping()).toBe('PONG');
  await proxy.reset();
  await expect(client.ping()).rejects.toThrow('Connection is closed');
  client.disconnect();
});

// A server of one's own (REDIS_URL) is neither stopped nor frozen.
describe.skipIf(process.env['REDIS_URL'])('a server that the harness has started', () => {
  test('two do not share anything, and keep nothing on disk', async () => {
    await using other = await startRedis();
    await redis.client().set('key', 'value');
    expect(await other.client().get('key')).toBeNull();
    expect(await other.client().config('GET', 'save')).toEqual(['save', '']);
  });

  test('SIGKILL ends it; stop() afterwards is quiet', async () => {
    const victim = await startRedis();
    const { pid } = victim;
    expect(pid && isAlive(pid)).toBe(true);
    await victim.signal('SIGKILL');
    expect(pid && isAlive(pid)).toBe(false);
    await victim.stop();
  });

  test('stop() ends it even when it is frozen', async () => {
    const victim = await startRedis();
    const { pid } = victim;
    await victim.signal('SIGSTOP');
    await victim.stop();
    expect(pid && isAlive(pid)).toBe(false);
  });
});

describe('without a server', () => {
  test('an error says what to install or to set', async () => {
    const { PATH: path, REDIS_URL: url } = process.env;
    process.env['PATH'] = '';
    delete process.env['REDIS_URL'];
    try {
      await expect(startRedis()).rejects.toThrow(
        /neither redis-server nor valkey-server is on PATH. Install one .* or set REDIS_URL/,
      );
    } finally {
      Object.assign(process.env, { PATH: path }, url === undefined ? {} : { REDIS_URL: url });
    }
  });

  test('REDIS_URL that is no url is named', async () => {
    const { REDIS_URL: url } = process.env;
    process.env['REDIS_URL'] = 'localhost:6379';
    try {
      await expect(startRedis()).rejects.toThrow(
        'REDIS_URL has to be a url such as redis://host:6379/0, but is "localhost:6379".',
      );
    } finally {
      if (url === undefined) {
        delete process.env['REDIS_URL'];
      } else {
        process.env['REDIS_URL'] = url;
      }
    }
  });
});
