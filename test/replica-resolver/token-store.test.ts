import { OptionsError, ReplicaResolverError } from '@mikrokit/replica-resolver';
import fc from 'fast-check';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { redisTokenStore, type TokenRedis } from '../../packages/replica-resolver/src/redis-token-store.ts';
import { encodeToken } from '../../packages/replica-resolver/src/token-text.ts';
import { type TokenStore, TokenStoreError } from '../../packages/replica-resolver/src/token-store.ts';
import type { Token } from '../../packages/replica-resolver/src/token.ts';
import { startProxy } from '../harness/proxy.ts';
import { type RedisServer, startRedis } from '../harness/redis.ts';

let server: RedisServer;
/** Looks at what the store wrote. */
let redis: Redis;
let store: TokenStore;

beforeAll(async () => {
  server = await startRedis();
  redis = server.client();
  store = redisTokenStore(redis, { timeout: 5_000 });
}, 180_000); // It may have to be installed.

beforeEach(() => server.flush());
afterAll(() => server.stop());

function connect(url: string, options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => 20, ...options });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

function text(token: Partial<Token> = {}, secret?: string): string {
  return encodeToken(
    { cluster: '0123456789ab', timeline: 1, lsn: 0x1_6b37_4d84_8n, at: 1_800_000_000_000, ...token },
    secret,
  );
}

/** What is stored after these were raised in turn. */
async function after(...tokens: string[]): Promise<string | undefined> {
  for (const token of tokens) {
    await store.raise('user', token, 60_000);
  }
  return await store.get('user');
}

const between =
  (least: number, most: number) =>
  (value: number): boolean =>
    value >= least && value <= most;

async function ttl(): Promise<number> {
  const [name] = await redis.keys('*');
  return await redis.pttl(name!);
}

describe('raise() keeps the greatest token', () => {
  test('nothing is stored at first; what was raised is what get() returns, with its signature', async () => {
    expect(await store.get('user')).toBeUndefined();
    const token = text({}, 'a secret of sixteen');
    expect(await after(token)).toBe(token);
  });

  test.each<[string, Partial<Token>, Partial<Token>]>([
    ['a higher position', { lsn: 5n }, { lsn: 6n }],
    ['… of more digits', { lsn: 0xfn }, { lsn: 0x10n }],
    ['… beyond what a double can tell apart', { lsn: 2n ** 60n }, { lsn: 2n ** 60n + 1n }],
    ['… up to the last', { lsn: 2n ** 64n - 2n }, { lsn: 2n ** 64n - 1n }],
    ['… where a language might sort otherwise', { lsn: 0xa9n }, { lsn: 0xaan }],
    ['a first position after time alone', { lsn: 0n }, { lsn: 1n }],
    ['a higher timeline, though its position is lower', { timeline: 1, lsn: 9n }, { timeline: 2, lsn: 1n }],
    ['… of more digits', { timeline: 9 }, { timeline: 10 }],
    ['the same position, later', { at: 1_800_000_000_000 }, { at: 1_800_000_000_001 }],
    ['time alone, later', { lsn: 0n, at: 35 }, { lsn: 0n, at: 36 }],
  ])('%s', async (_, smaller, greater) => {
    expect(await after(text(smaller), text(greater))).toBe(text(greater));
    await server.flush();
    // An older one never replaces it (GitLab merge request 217328).
    expect(await after(text(greater), text(smaller))).toBe(text(greater));
    await server.flush();
    const secret = 'a secret of sixteen';
    expect(await after(text(greater, secret), text(smaller, secret))).toBe(text(greater, secret));
  });

  test('of another cluster: the last one counts', async () => {
    const other = text({ cluster: 'ba9876543210', lsn: 1n });
    expect(await after(text(), other)).toBe(other);
    expect(await after(other, text())).toBe(text());
  });

  test('the same token, signed anew, replaces itself: the secret may have been changed', async () => {
    const anew = text({}, 'another secret, new');
    expect(await after(text({}, 'a secret of sixteen'), anew)).toBe(anew);
  });

  test('whatever the order, the greatest is left', async () => {
    const token = fc.record({
      timeline: fc.integer({ min: 1, max: 12 }),
      lsn: fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })),
      at: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1_800_000_000_000, max: 1_900_000_000_000 })),
    });
    const isGreater = (a: Partial<Token>, b: Partial<Token>): boolean =>
      a.timeline! !== b.timeline! ? a.timeline! > b.timeline! : a.lsn! !== b.lsn! ? a.lsn! > b.lsn! : a.at! > b.at!;
    await fc.assert(
      fc.asyncProperty(fc.array(token, { minLength: 1, maxLength: 8 }), async tokens => {
        await server.flush();
        const greatest = tokens.reduce((best, each) => (isGreater(each, best) ? each : best));
        expect(await after(...tokens.map(each => text(each)))).toBe(text(greatest));
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['no token', 'hello'],
    ['a token of another version', 'v2.0123456789ab.9.ff.0'],
    ['a token that is cut off', 'v1.0123456789ab.9.ff'],
    ['a token with something behind it', 'v1.0123456789ab.9.ff.0.a.b'],
    ['1 MB', `v1.0123456789ab.9.${'f'.repeat(1 << 20)}.0`],
    ['bytes that are no text', Buffer.from([0, 255, 13, 10])],
    ['nothing', ''],
  ])('%s in the store is replaced', async (_, stored) => {
    await store.raise('user', text(), 60_000);
    const [name] = await redis.keys('*');
    await redis.set(name!, stored);
    expect(await after(text({ lsn: 1n }))).toBe(text({ lsn: 1n }));
    expect(await ttl()).toBeGreaterThan(0);
  });

  test('a list under its name is replaced; until then get() rejects rather than tell that nothing was written', async () => {
    await store.raise('user', text(), 60_000);
    const [name] = await redis.keys('*');
    await redis.multi().del(name!).rpush(name!, 'x').exec();
    await expect(store.get('user')).rejects.toThrow(TokenStoreError);
    expect(await after(text())).toBe(text());
  });
});

describe('a token is never taken away: time alone ends it', () => {
  test('each raise lets it last its ttl from then on', async () => {
    await store.raise('user', text(), 5_000);
    expect(await ttl()).toSatisfy(between(3_000, 5_001));
    await store.raise('user', text({ lsn: 2n ** 40n }), 60_000);
    expect(await ttl()).toSatisfy(between(55_000, 60_001));
  });

  test('a smaller token, too: what covers it has to last as long as it would', async () => {
    await store.raise('user', text({ lsn: 9n }), 5_000);
    await store.raise('user', text({ lsn: 8n }), 60_000);
    expect(await ttl()).toSatisfy(between(55_000, 60_001));
  });

  test('no raise shortens it', async () => {
    await store.raise('user', text({ lsn: 9n }), 60_000);
    await store.raise('user', text({ lsn: 8n }), 1);
    await store.raise('user', text({ lsn: 10n }), 1);
    expect(await ttl()).toSatisfy(between(55_000, 60_001));
    expect(await store.get('user')).toBe(text({ lsn: 10n }));
  });

  test('it ends', async () => {
    await store.raise('user', text(), 30);
    await expect.poll(() => store.get('user')).toBeUndefined();
  });

  test('a token without an end, from elsewhere, gets one', async () => {
    await store.raise('user', text({ lsn: 9n }), 60_000);
    const [name] = await redis.keys('*');
    await redis.persist(name!);
    await store.raise('user', text({ lsn: 8n }), 60_000);
    expect(await ttl()).toSatisfy(between(55_000, 60_001));
  });

  test('a ttl of a part of a millisecond, or without end, is one that Redis takes', async () => {
    await store.raise('user', text(), Infinity);
    expect(await ttl()).toBeGreaterThan(8e12);
    await store.raise('other', text(), 0.1);
  });

  test('reading does not delete, however often, and there is nothing that does (GitLab 413203, 216379)', async () => {
    await store.raise('user', text(), 60_000);
    for (let n = 0; n < 20; n++) {
      expect(await store.get('user')).toBe(text());
    }
    expect(Object.keys(store).toSorted()).toEqual(['get', 'raise']);
  });
});

test('50 raises at the same time, older and newer ones, from several clients: the greatest wins, and no get ever sees it go back', async () => {
  const clients = Array.from({ length: 5 }, () => redisTokenStore(connect(server.url), { timeout: 5_000 }));
  const order = Array.from({ length: 50 }, (_, index) => BigInt((index * 37) % 50) + 0xffff_fff0n);
  const seen: bigint[] = [];
  let ended = false;
  const watching = (async () => {
    while (!ended) {
      const token = await store.get('user');
      seen.push(token === undefined ? 0n : BigInt(`0x${token.split('.')[3]}`));
    }
  })();
  await Promise.all(order.map((lsn, index) => clients[index % 5]!.raise('user', text({ lsn }), 60_000)));
  expect(await store.get('user')).toBe(text({ lsn: 0xffff_fff0n + 49n }));
  ended = true;
  await watching;
  expect(
    seen.every((lsn, index) => index === 0 || lsn >= seen[index - 1]!),
    seen.join(),
  ).toBe(true);
});

describe('what is in Redis', () => {
  test('one key, with the prefix, that does not tell whose it is', async () => {
    await store.raise('ada@example.org', text(), 60_000);
    expect(await redis.keys('*')).toEqual([expect.stringMatching(/^mikrokit:token:[\w-]{43}$/)]);
  });

  test('keys do not get in the way of each other, nor do prefixes', async () => {
    const other = redisTokenStore(redis, { prefix: 'other:', timeout: 5_000 });
    await store.raise('a', text({ lsn: 1n }), 60_000);
    await store.raise('b', text({ lsn: 2n }), 60_000);
    await other.raise('a', text({ lsn: 3n }), 60_000);
    expect(await store.get('a')).toBe(text({ lsn: 1n }));
    expect(await store.get('b')).toBe(text({ lsn: 2n }));
    expect(await other.get('a')).toBe(text({ lsn: 3n }));
    expect(await other.get('b')).toBeUndefined();
  });
});

describe('a store that fails', () => {
  test('a server that has forgotten its scripts gets the script again', async () => {
    await store.raise('user', text({ lsn: 1n }), 60_000);
    await redis.script('FLUSH');
    await store.raise('user', text({ lsn: 2n }), 60_000);
    expect(await store.get('user')).toBe(text({ lsn: 2n }));
  });

  test('that hangs: get() and raise() reject within the timeout, and work again afterwards', async () => {
    await using proxy = await startProxy(server.url);
    const slow = redisTokenStore(connect(proxy.url()), { timeout: 100 });
    await slow.raise('user', text(), 60_000);
    await proxy.blackHole();
    const begun = performance.now();
    const outcomes = await Promise.allSettled([slow.get('user'), slow.raise('user', text({ lsn: 2n ** 40n }), 60_000)]);
    expect(performance.now() - begun).toSatisfy(between(95, 1_000));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'TokenStoreError', code: 'TOKEN_STORE' } });
      expect(String((outcome as PromiseRejectedResult).reason)).toMatch(
        /has to answer within 100 ms, but did not\. Raise/,
      );
    }
    await proxy.pass();
    await expect.poll(() => slow.get('user')).toBeDefined();
  });

  test('that is not there: they reject, and say nothing of keys and tokens', async () => {
    await using proxy = await startProxy(server.url);
    const client = connect(proxy.url(), { enableOfflineQueue: false });
    await expect.poll(() => client.status).toBe('ready');
    const lost = redisTokenStore(client, { timeout: 2_000 });
    await proxy.refuse();
    for (const call of [() => lost.get('ada@example.org'), () => lost.raise('ada@example.org', text(), 60_000)]) {
      const error = await call().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(TokenStoreError);
      expect((error as TokenStoreError).message).toMatch(/^redisTokenStore\(\): Redis has to answer, but failed: /);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/ada|0123456789ab/);
    }
  });

  test('that refuses the script: raise() rejects with what the server said', async () => {
    await redis.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@read', '+@connection', '+info');
    const url = new URL(server.url);
    const reader = redisTokenStore(connect(`redis://reader:pw@${url.host}${url.pathname}`), { timeout: 5_000 });
    expect(await reader.get('user')).toBeUndefined();
    await expect(reader.raise('user', text(), 60_000)).rejects.toThrow(/NOPERM/);
  });
});

describe('arguments', () => {
  test.each<[string, unknown, unknown]>([
    ['client', undefined, {}],
    ['client', null, {}],
    ['client', 'redis://:secret@host', {}],
    ['client', { get() {} }, {}],
    ['prefix', undefined, { prefix: '' }],
    ['prefix', undefined, { prefix: 'a b' }],
    ['prefix', undefined, { prefix: 'a'.repeat(65) }],
    ['timeout', undefined, { timeout: 0 }],
    ['timeout', undefined, { timeout: Number.NaN }],
    ['timeout', undefined, { timeout: '100' }],
    ['timeout', undefined, { timeout: 60_001 }],
    ['ttl', undefined, { ttl: 1 }],
  ])('a wrong %s is refused at once', (option, client, options) => {
    const make = (): TokenStore =>
      redisTokenStore((option === 'client' ? client : redis) as TokenRedis, options as { prefix: string });
    expect(make).toThrow(OptionsError);
    expect(make).toThrow(expect.objectContaining({ option, message: expect.not.stringContaining('secret') }));
  });

  test.each<[string, unknown, unknown, unknown]>([
    ['a key that is empty', '', text(), 1],
    ['a key that is no text', 7, text(), 1],
    ['no token', 'user', undefined, 1],
    ['a token that is none', 'user', 'v1.x', 1],
    ['a token that is too long', 'user', `${text()}.${'a'.repeat(160)}`, 1],
    ['a token with a line break', 'user', `${text()}\n`, 1],
    ['a ttl of 0', 'user', text(), 0],
    ['a ttl that is no number', 'user', text(), Number.NaN],
  ])('%s: raise() rejects, nothing is stored', async (_, key, token, ttlGiven) => {
    const raised = store.raise(key as string, token as string, ttlGiven as number);
    await expect(raised).rejects.toThrow(ReplicaResolverError);
    await expect(raised).rejects.toMatchObject({ code: 'ARGUMENT' });
    expect(await redis.dbsize()).toBe(0);
  });
});
