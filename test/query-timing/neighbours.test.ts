import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { type CacheStore, memoryStore, redisStore, resultCache } from '@mikrokit/result-cache';
import type { QueryRecord, QueryTimingOptions } from '@mikrokit/query-timing';
import { replicaResolver } from '@mikrokit/replica-resolver';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import type { OrmOptions } from '../harness/orm.ts';
import { startRedis } from '../harness/redis.ts';
import { openReplicated, type Replicated } from '../replica-resolver/fixtures/open-replicated.ts';
import { Author, Book, kyselyOf, Library, sorted, Tag, type Timed } from './fixtures/library.ts';

/* What the other packages tell of a query on their channels; none of them is imported by this one. */

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

const fork = ({ orm }: Timed): EntityManager => orm.em.fork() as EntityManager;
const TABLES: ReadonlySet<string> = new Set(['author', 'book', 'tag']);
/** Queries of the library's own tables: what the packages ask for themselves is left out. */
const ofTables = (records: readonly QueryRecord[]): QueryRecord[] =>
  records.toSorted((a, b) => a.id - b.id).filter(({ shape }) => shape.tables.some(table => TABLES.has(table)));

describe('batchLoader(): how many calls a query has answered', () => {
  const open = (options: QueryTimingOptions = {}): Promise<Timed> =>
    library.timed(options, { extensions: [batchLoader()] });

  const reads: Record<string, [call: (em: EntityManager) => Promise<unknown>, expected: unknown[]]> = {
    'ref.load()': [
      async em => await Promise.all((await em.find(Book, {})).map(book => book.author.load())),
      [
        ['find', 'Book', undefined],
        ['find', 'Author', 12],
      ],
    ],
    'collection.load()': [
      async em => await Promise.all((await em.find(Author, {})).map(author => author.books.load())),
      [
        ['find', 'Author', undefined],
        ['find', 'Book', 4],
      ],
    ],
    'collection.loadCount()': [
      async em => await Promise.all((await em.find(Author, {})).map(author => author.books.loadCount())),
      [
        ['find', 'Author', undefined],
        ['count', 'Book', 4],
      ],
    ],
    'batch(em).find()': [
      em => Promise.all([1, 2, 3].map(author => batch(em).find(Book, { author }))),
      [['find', 'Book', 3]],
    ],
    'batch(em).findOne()': [em => Promise.all([1, 2].map(id => batch(em).findOne(Tag, id))), [['find', 'Tag', 2]]],
    'batch(em).find() alone': [em => batch(em).find(Book, { pages: 5 }), [['find', 'Book', 1]]],
    'none of it': [em => em.find(Book, {}), [['find', 'Book', undefined]]],
  };

  test.each(Object.entries(reads))('%s, within run() and outside', async (_, [call, expected]) => {
    const timed = await open();
    const told = (): unknown =>
      ofTables(timed.records).map(({ operation, entity, batch: size }) => [operation, entity, size]);
    await timed.timing.run('one', () => call(fork(timed)));
    expect(told()).toEqual(expected);
    timed.records.length = 0;
    await call(fork(timed));
    expect(told()).toEqual(expected);
  });

  test('the report has the batches of each entity', async () => {
    const timed = await open();
    expect(timed.timing.report().batches).toBeUndefined();
    const books = await fork(timed).find(Book, {});
    await Promise.all(books.map(book => book.author.load()));
    expect(timed.timing.report().batches).toEqual({
      batches: 1,
      calls: 12,
      entities: { Author: { batches: 1, calls: 12 } },
    });
    timed.timing.reset();
    expect(timed.timing.report().batches).toEqual({ batches: 0, calls: 0, entities: {} });
  });

  test('what was batched is no N+1; the same loads one after the other are one', async () => {
    const timed = await open();
    await timed.timing.run('batched', async () => {
      const books = await fork(timed).find(Book, {});
      await Promise.all(books.map(book => book.author.load()));
    });
    expect(timed.timing.report().findings.filter(({ kind }) => kind === 'n+1')).toEqual([]);
    await timed.timing.run('in a loop', async () => {
      for (const book of await fork(timed).find(Book, {})) {
        await book.author.load();
      }
    });
    expect(timed.timing.report().findings.filter(({ kind }) => kind === 'n+1')).toHaveLength(1);
  });
});

/** As in the library, but kept. */
const Kept = defineEntity({
  name: 'Kept',
  tableName: 'tag',
  resultCache: { ttl: 60_000 },
  properties: { id: p.integer().primary(), name: p.string() },
});
const kept = { entities: [Kept] } satisfies Partial<OrmOptions>;

const stores: Record<string, () => Promise<CacheStore>> = {
  'in memory': () => Promise.resolve(memoryStore()),
  'in Redis': async () => {
    const redis = await startRedis({ log: () => undefined });
    closeAfter(() => redis.stop());
    await redis.flush();
    return redisStore(redis.client(), { grace: 1 });
  },
};

describe.each(Object.entries(stores))('resultCache() %s: what it did before a query was sent', (_, makeStore) => {
  let timed: Timed;
  beforeEach(async () => {
    timed = await library.timed(
      {},
      { ...kept, extensions: [resultCache({ store: await makeStore(), timeout: 10_000 })] },
    );
    expect(timed.timing.report().cache).toBeUndefined();
    // A store that has just been connected to keeps nothing for a moment.
    const warm = async (): Promise<number> => {
      await fork(timed).find(Kept, { name: 'warm' });
      return timed.timing.report().cache!.hits;
    };
    await expect.poll(warm).toBeGreaterThan(0);
    timed.timing.reset();
    timed.records.length = 0;
  });
  const told = (): unknown[] => ofTables(timed.records).map(({ operation, cache }) => [operation, cache]);

  test('a miss and why, a hit, which sends nothing, and a bypass and why', async () => {
    await fork(timed).find(Kept, { id: 1 });
    await fork(timed).find(Kept, { id: 1 });
    expect(told()).toEqual([['find', 'miss: absent']]);
    await fork(timed).nativeUpdate(Kept, { id: 1 }, { name: 'old' });
    await fork(timed).find(Kept, { id: 1 });
    await fork(timed).transactional(em => em.find(Kept, { id: 1 }));
    await fork(timed).find(Kept, { id: 1 }, { cache: false });
    expect(told()).toEqual([
      ['find', 'miss: absent'],
      ['nativeUpdate', undefined],
      ['find', 'miss: invalidated'],
      ['find', 'bypass: in a transaction'],
      ['find', undefined],
    ]);
  });

  test('the report has hits, misses and bypasses of each entity, and their reasons', async () => {
    await fork(timed).find(Kept, { id: 1 });
    await fork(timed).find(Kept, { id: 1 });
    await fork(timed).count(Kept);
    await fork(timed).transactional(em => em.find(Kept, { id: 1 }));
    await expect
      .poll(() => timed.timing.report().cache)
      .toMatchObject({
        hits: 1,
        misses: 2,
        bypasses: 1,
        fills: 2,
        errors: 0,
        entities: { Kept: { hits: 1, misses: 2, bypasses: 1 } },
        reasons: { 'miss: absent': 2, 'bypass: in a transaction': 1 },
      });
  });

  test('two calls at once are told apart', async () => {
    await fork(timed).find(Kept, { id: 1 });
    timed.records.length = 0;
    await Promise.all([
      fork(timed).find(Kept, { id: 1 }),
      fork(timed).find(Kept, { id: 2 }),
      fork(timed).transactional(em => em.find(Kept, { id: 1 })),
    ]);
    expect(sorted(told().filter(each => JSON.stringify(each).includes('find')))).toEqual([
      ['find', 'bypass: in a transaction'],
      ['find', 'miss: absent'],
    ]);
  });
});

describe('replicaResolver(): why a query went where it went', () => {
  let servers: Replicated;
  let replicated: Library;
  beforeAll(async () => {
    servers = await openReplicated();
    replicated = await Library.on(servers.url);
    await servers.cluster.caughtUp();
  });

  async function open(before: boolean): Promise<Timed & { resolver: ReturnType<typeof replicaResolver> }> {
    const resolver = replicaResolver();
    const { orm, timing, records } = await replicated.timed(
      {},
      {
        replicas: servers.replicas.map(replica => ({ ...replica })),
        extensions: [resolver],
      },
      before ? 'last' : 'first',
    );
    await resolver.ready();
    records.length = 0;
    timing.reset();
    return { orm, timing, records, resolver };
  }

  describe.each([
    ['before it', false],
    ['behind it', true],
  ])('registered %s', (_name, before) => {
    test('each read and write: the reason, the node, and its role', async () => {
      const timed = await open(before);
      await timed.resolver.run({}, async () => {
        await fork(timed).find(Book, {});
        await fork(timed).nativeUpdate(Tag, { id: 1 }, { name: 'old' });
        await fork(timed).find(Tag, {}, { connectionType: 'write' });
        await fork(timed).transactional(em => em.count(Tag));
      });
      const told = ofTables(timed.records).map(({ operation, role, node, route }) => [operation, role, node, route]);
      expect(told).toEqual([
        ['find', 'replica', expect.stringMatching(/^replica-[12]$/), expect.stringMatching(/^replica/)],
        ['nativeUpdate', 'primary', expect.any(String), 'primary'],
        ['find', 'primary', expect.any(String), 'primary'],
        // What is sent in a transaction goes where that was begun: nobody decides.
        ['count', 'primary', expect.any(String), undefined],
      ]);
    });

    test('answers are those of the servers, and every query of the program is seen once', async () => {
      const timed = await open(before);
      const calls: [string, (em: EntityManager) => Promise<unknown>][] = [
        ['find', em => em.find(Book, {})],
        ['count', em => em.count(Book)],
        ['execute', em => em.execute('select * from book')],
        ['qb', em => em.createQueryBuilder(Book, 'b').getResult()],
        ['kysely', em => kyselyOf(em, 'read').selectFrom('book').selectAll().execute()],
        [
          'stream',
          async em => {
            let rows = 0;
            for await (const each of em.stream(Book)) {
              void each;
              rows++;
            }
            return Array(rows).fill(0);
          },
        ],
      ];
      for (const [operation, call] of calls) {
        timed.records.length = 0;
        const answer = await call(fork(timed));
        expect(Array.isArray(answer) ? answer.length : answer, operation).toBe(12);
        expect(
          timed.records.filter(record => record.shape.tables.includes('book')).map(record => record.operation),
          operation,
        ).toEqual([operation]);
      }
    });

    test('the report has the nodes with the reasons', async () => {
      const timed = await open(before);
      for (let each = 0; each < 20; each++) {
        await timed.resolver.run({}, () => fork(timed).find(Book, {}));
      }
      await timed.resolver.run({}, () => fork(timed).nativeUpdate(Tag, { id: 1 }, { name: 'old' }));
      const { nodes } = timed.timing.report();
      const reasons = nodes.flatMap(node => Object.keys(node.reasons).map(reason => `${node.role} ${reason}`));
      expect(reasons).toContain('primary primary');
      expect(reasons.some(each => each.startsWith('replica replica'))).toBe(true);
      expect(
        nodes
          .filter(({ role }) => role === 'replica')
          .map(({ name }) => name)
          .every(name => /^replica-[12]$/.test(name)),
      ).toBe(true);
    });

    test('after a reconnect, too', async () => {
      const timed = await open(before);
      await fork(timed).count(Book);
      await timed.orm.reconnect();
      await timed.resolver.ready();
      timed.records.length = 0;
      await timed.resolver.run({}, () => fork(timed).find(Book, {}));
      expect(ofTables(timed.records).map(({ operation, role, route }) => [operation, role, route])).toEqual([
        ['find', expect.stringMatching(/^(replica|primary)$/), expect.any(String)],
      ]);
    });
  });
});
