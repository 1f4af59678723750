import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MikroORM, Options } from '@mikro-orm/postgresql';
import { memoryStore, redisStore, resultCache } from '@mikrokit/result-cache';
import { Redis } from 'ioredis';
import { startProxy } from '../harness/proxy.ts';
import { startRedis } from '../harness/redis.ts';
import { atLeast, atMost, type Bench, type BenchCase, type BenchContext } from './bench.ts';
import { interleave } from './interleave.ts';
import { alsoOpen, Article, Author, Comment, openMagazine } from './result-cache-model.ts';

/*
 * The bars of the result cache. Every ratio is taken within one run, its sides in turns; Redis and PostgreSQL on loopback.
 */

const TTL = 3_600_000;

type Read = (orm: MikroORM, cache: number | false) => Promise<unknown>;

/** What applications read, smallest first. The list sorts a thousand rows, as lists without an index for each order do. */
const oneRow: Read = (orm, cache) => orm.em.fork().findOne(Article, 4_711, { cache });
const list: Read = (orm, cache) =>
  orm.em
    .fork()
    .find(Article, { section: 3, published: true }, { orderBy: { score: 'desc', id: 'asc' }, limit: 200, cache });
const withRelations: Read = (orm, cache) =>
  orm.em.fork().findOne(Article, 4_711, { populate: ['author', 'comments', 'tags'], cache });
const fifty: Read = (orm, cache) =>
  orm.em
    .fork()
    .find(Article, { section: 3, published: true }, { orderBy: { score: 'desc', id: 'asc' }, limit: 50, cache });
const tree: Read = (orm, cache) =>
  orm.em.fork().find(Article, { id: { $lte: 2_000 } }, { populate: ['comments'], strategy: 'select-in', cache });

/** How many times as fast a hit is as the same read on an ORM without the extension. */
function hitCase(
  name: string,
  read: Read,
  bar: number,
  open: (context: BenchContext, run: (extensions: Options['extensions']) => Promise<number>) => Promise<number>,
): BenchCase {
  return {
    name,
    bar: atLeast(bar, '× faster than no cache'),
    async run(context) {
      const value = await open(context, async extensions => {
        await using plain = await openMagazine(context.cluster);
        await using cached = await alsoOpen(plain, extensions === undefined ? {} : { extensions });
        await read(cached, TTL);
        const { ratio } = await interleave(
          { plain: () => read(plain, false), hit: () => read(cached, TTL) },
          { repetitions: 301, warmup: 100 },
        );
        return ratio('plain', 'hit');
      });
      return { value, unit: '×' };
    },
  };
}

function ownAdapterCase(rows: string, read: Read): BenchCase {
  return {
    name: `memory: a hit of ${rows} against MikroORM's own memory adapter`,
    bar: atLeast(1, '× as fast'),
    async run({ cluster }) {
      await using own = await openMagazine(cluster);
      await using cached = await alsoOpen(own, { extensions: [resultCache()] });
      const { ratio } = await interleave(
        { own: () => read(own, TTL), ours: () => read(cached, TTL) },
        { repetitions: 501, warmup: 100 },
      );
      return { value: ratio('own', 'ours'), unit: '×' };
    },
  };
}

const onMemory: Parameters<typeof hitCase>[3] = (_context, run) => run([resultCache()]);

const onRedis: Parameters<typeof hitCase>[3] = async (_context, run) => {
  await using server = await startRedis();
  const client = quickClient(server.url);
  try {
    await settled(client);
    return await run([resultCache({ store: redisStore(client, { grace: 1 }) })]);
  } finally {
    client.disconnect();
  }
};

function quickClient(url: string): Redis {
  const client = new Redis(url, { enableOfflineQueue: true, maxRetriesPerRequest: 1 });
  client.on('error', () => undefined);
  return client;
}

async function settled(client: Redis): Promise<void> {
  await client.ping();
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

export const bench: Bench = {
  package: 'result-cache',
  cases: [
    hitCase('memory: a hit of 1 row', oneRow, 2.5, onMemory),
    {
      name: 'memory: a hit of 1 row, with MikroORM around it',
      bar: atMost(60, 'µs'),
      async run({ cluster }) {
        await using orm = await openMagazine(cluster, { extensions: [resultCache()] });
        const many = async (): Promise<void> => {
          for (let index = 0; index < 100; index += 1) {
            await oneRow(orm, TTL);
          }
        };
        const { medians } = await interleave({ many }, { repetitions: 101, warmup: 50 });
        return { value: medians.many * 10, unit: 'µs' };
      },
    },
    hitCase('memory: a hit of 200 rows', list, 4, onMemory),
    hitCase('memory: a hit of 1 row with relations', withRelations, 4, onMemory),
    hitCase('Redis, local tier validated: 1 row', oneRow, 1.5, onRedis),
    hitCase('Redis, local tier validated: 200 rows', list, 3.5, onRedis),
    hitCase('Redis, local tier validated: 1 row with relations', withRelations, 3.5, onRedis),
    ownAdapterCase('50 rows', fifty),
    ownAdapterCase('200 rows', list),
    {
      name: 'memory: a hit of a tree of 2 000 + 10 000 rows',
      bar: atMost(0.9, '× no cache'),
      async run({ cluster }) {
        await using plain = await openMagazine(cluster);
        await using cached = await alsoOpen(plain, {
          extensions: [
            resultCache({ maxEntryBytes: 64 * 1024 * 1024, store: memoryStore({ maxBytes: 256 * 1024 * 1024 }) }),
          ],
        });
        const { ratio } = await interleave(
          { plain: () => tree(plain, false), hit: () => tree(cached, TTL) },
          { repetitions: 31, warmup: 5 },
        );
        return { value: ratio('hit', 'plain'), unit: '×' };
      },
    },
    {
      name: '2 processes × 50 concurrent identical misses',
      bar: atMost(1, 'database queries'),
      async run({ cluster }) {
        await using server = await startRedis();
        await using orm = await openMagazine(cluster);
        const children = [1, 2].map(() =>
          fork(new URL('./result-cache-child.ts', import.meta.url), [orm.config.get('clientUrl')!, server.url], {
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
            execArgv: process.execArgv,
          }),
        );
        try {
          await Promise.all(children.map(child => once(child, 'message')));
          const counted = Promise.all(children.map(async child => Number((await once(child, 'message'))[0])));
          children.forEach(child => child.send('go'));
          const counts = await counted;
          return { value: counts.reduce((sum, count) => sum + count, 0), unit: 'queries' };
        } finally {
          children.forEach(child => child.kill());
        }
      },
    },
    {
      name: 'Redis: a read of an entry with its tags, no copy in the process',
      bar: atMost(1.1, '× a GET of the payload'),
      async run() {
        await using server = await startRedis();
        const client = quickClient(server.url);
        try {
          const store = redisStore(client, { local: false, grace: 1 });
          const ask = {
            registry: 'r',
            key: 'Article:abcdefghijklmnopqrstuvwx',
            tags: ['tag1tag1tag1tag1', 'tag2tag2tag2tag2'],
          };
          await store.begin({ ...ask, ttl: TTL });
          const payload = Buffer.alloc(15_000, 'x');
          await store.fill(ask.key, payload, TTL);
          await client.set('plain', payload);
          const many = async (read: () => Promise<unknown>): Promise<void> => {
            for (let index = 0; index < 20; index += 1) {
              await read();
            }
          };
          const { ratio } = await interleave(
            { read: () => many(() => store.read(ask)), get: () => many(() => client.getBuffer('plain')) },
            { repetitions: 301, warmup: 50 },
          );
          await store.dispose();
          return { value: ratio('read', 'get'), unit: '×' };
        } finally {
          client.disconnect();
        }
      },
    },
    {
      name: 'a commit that changes 40 tags, Redis 20 ms away in each direction',
      bar: atMost(2, 'round trips more than without the extension'),
      async run({ cluster }) {
        await using server = await startRedis();
        await using proxy = await startProxy(server.url);
        const client = quickClient(proxy.url());
        try {
          await using plain = await openMagazine(cluster);
          await using cached = await alsoOpen(plain, {
            extensions: [resultCache({ store: redisStore(client, { grace: 1 }), timeout: 1_000 })],
          });
          await proxy.delay(20);
          const commit = async (orm: MikroORM): Promise<void> => {
            const em = orm.em.fork();
            const articles = await em.find(Article, { id: { $lte: 20 } });
            const authors = await em.find(Author, { id: { $lte: 20 } });
            articles.forEach(article => (article.words += 1));
            authors.forEach(author => (author.bio += '.'));
            await em.flush();
          };
          const { medians } = await interleave(
            { plain: () => commit(plain), cached: () => commit(cached), trip: () => client.ping() },
            { repetitions: 31 },
          );
          const trips = (medians.cached - medians.plain) / medians.trip;
          return { value: Math.round(trips * 10) / 10, unit: 'round trips' };
        } finally {
          client.disconnect();
        }
      },
    },
    {
      name: 'a query that is not cached, 1 row',
      bar: atMost(1.05, '× without the extension'),
      async run({ cluster }) {
        await using plain = await openMagazine(cluster);
        await using cached = await alsoOpen(plain, { extensions: [resultCache()] });
        const { ratio } = await interleave(
          { plain: () => oneRow(plain, false), on: () => oneRow(cached, false) },
          { repetitions: 2_001, warmup: 500 },
        );
        return { value: ratio('on', 'plain'), unit: '×' };
      },
    },
    {
      name: 'Redis black-holed: p99 of reads until the breaker opens, over uncached',
      bar: atMost(50, 'ms'),
      run: context => blackHoled(context, 'first'),
    },
    {
      name: 'Redis black-holed: p99 of reads with the breaker open, over uncached',
      bar: atMost(1, 'ms'),
      run: context => blackHoled(context, 'open'),
    },
    {
      name: 'memory of 100 000 entries',
      bar: atMost(10, '% from maxBytes'),
      async run() {
        const maxBytes = 96 * 1024 * 1024;
        const used = (): number => {
          collectGarbage();
          collectGarbage();
          const { heapUsed, external } = process.memoryUsage();
          return heapUsed + external;
        };
        const before = used();
        const store = memoryStore({ maxBytes });
        // 100 000 of them do not all fit: it is full.
        for (let index = 0; index < 100_000; index += 1) {
          const entry = Buffer.allocUnsafeSlow(400 + (index % 13) * 160);
          await store.fill(`Article:${index}`.padEnd(32, 'k'), entry, TTL);
        }
        const off = Math.abs((used() - before) / maxBytes - 1) * 100;
        await store.dispose();
        return { value: off, unit: '%' };
      },
    },
  ],
};

/** 200 misses at once, then 200 more, while Redis does not answer. */
async function blackHoled(
  { cluster }: BenchContext,
  phase: 'first' | 'open',
): Promise<{ value: number; unit: string }> {
  await using server = await startRedis();
  await using proxy = await startProxy(server.url);
  const client = quickClient(proxy.url());
  try {
    await using plain = await openMagazine(cluster);
    await using cached = await alsoOpen(plain, {
      extensions: [resultCache({ store: redisStore(client, { grace: 1 }), retryAfter: 60_000 })],
    });
    const read = (orm: MikroORM, id: number, cache: number | false): Promise<unknown> =>
      orm.em.fork().find(Comment, { article: id }, { cache });
    await read(cached, 1, TTL);
    const p99 = async (orm: MikroORM, cache: number | false, from: number): Promise<number> => {
      const times: number[] = [];
      for (let id = from; id < from + 300; id += 1) {
        const before = performance.now();
        await read(orm, id, cache);
        times.push(performance.now() - before);
      }
      return times.toSorted((a, b) => a - b)[phase === 'first' ? times.length - 1 : Math.floor(times.length * 0.99)]!;
    };
    await p99(plain, false, 1);
    await p99(cached, false, 1);
    const uncached = await p99(plain, false, 1_000);
    await proxy.blackHole();
    const first = await p99(cached, TTL, 2_000);
    if (phase === 'first') {
      return { value: first - uncached, unit: 'ms' };
    }
    return { value: (await p99(cached, TTL, 3_000)) - (await p99(plain, false, 4_000)), unit: 'ms' };
  } finally {
    client.disconnect();
  }
}
