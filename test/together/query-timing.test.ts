import { type EntityManager, type MikroORM, type Options, defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { type QueryRecord, queryTiming, type QueryTiming } from '@mikrokit/query-timing';
import { replicaResolver } from '@mikrokit/replica-resolver';
import { resultCache } from '@mikrokit/result-cache';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { openReplicated, type Replicated } from '../replica-resolver/fixtures/open-replicated.ts';
import { testIf } from './test-if.ts';

/* With any of the other packages, in any order: the same answers, no more queries than without, and each query told of once. */

const Author = defineEntity({
  name: 'Author',
  resultCache: { ttl: 60_000 },
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
const Book = defineEntity({
  name: 'Book',
  resultCache: { ttl: 60_000 },
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});
const entities = [Author, Book];

type Name = 'batchLoader' | 'resultCache' | 'replicaResolver' | 'queryTiming';
type Extension = NonNullable<Options['extensions']>[number];

const orders: readonly (readonly Name[])[] = [
  ['batchLoader', 'queryTiming'],
  ['queryTiming', 'batchLoader'],
  ['resultCache', 'queryTiming'],
  ['queryTiming', 'resultCache'],
  ['replicaResolver', 'queryTiming'],
  ['queryTiming', 'replicaResolver'],
  ['batchLoader', 'resultCache', 'replicaResolver', 'queryTiming'],
  ['queryTiming', 'replicaResolver', 'resultCache', 'batchLoader'],
  ['resultCache', 'queryTiming', 'batchLoader', 'replicaResolver'],
  ['replicaResolver', 'batchLoader', 'queryTiming', 'resultCache'],
  ['batchLoader', 'queryTiming', 'replicaResolver', 'resultCache'],
  ['replicaResolver', 'queryTiming', 'resultCache', 'batchLoader'],
];

interface Together {
  readonly orm: MikroORM;
  readonly timing: QueryTiming | undefined;
  /** Of the two tables, in the order of their start. */
  queries(): QueryRecord[];
}

let servers: Replicated;
let plain: MikroORM;
beforeAll(async () => {
  servers = await openReplicated();
  plain = await openOrm({ url: servers.url, entities });
  await plain.schema.create();
});
beforeEach(async () => {
  const em = plain.em.fork();
  await em.execute('truncate author, book');
  await em.insertMany(
    Author,
    [1, 2, 3].map(id => ({ id, name: `author ${id}` })),
  );
  await em.insertMany(
    Book,
    [1, 2, 3, 4, 5, 6].map(id => ({ id, title: `book ${id}`, author: 1 + (id % 3) })),
  );
  await servers.cluster.caughtUp();
});

async function open(names: readonly Name[]): Promise<Together> {
  const records: QueryRecord[] = [];
  const resolver = replicaResolver();
  // Where they are used they are in node_modules.
  const callSites = { sample: 1, ignore: [/packages\/[a-z-]+\/src\//] };
  const timing = queryTiming({ terminal: false, slow: 60_000, callSites });
  timing.subscribe(record => void records.push(record));
  const made: Record<Name, () => Extension> = {
    batchLoader: () => batchLoader(),
    resultCache: () => resultCache(),
    replicaResolver: () => resolver,
    queryTiming: () => timing,
  };
  const orm = await openOrm({
    url: servers.url,
    entities,
    replicas: servers.replicas.map(replica => ({ ...replica })),
    extensions: names.map(name => made[name]()),
  });
  if (names.includes('replicaResolver')) {
    await resolver.ready();
  }
  return {
    orm,
    timing: names.includes('queryTiming') ? timing : undefined,
    queries: () =>
      records
        .toSorted((a, b) => a.id - b.id)
        .filter(({ shape }) => shape.tables.some(table => table === 'author' || table === 'book')),
  };
}

type Read = (em: EntityManager) => Promise<unknown>;
const byId = { orderBy: { id: 'asc' } } as const;

/** Each asks for several things, at once and one after the other. */
const reads: Record<string, Read> = {
  find: async em => (await em.find(Book, {}, byId)).map(({ title }) => title),
  'lazy loads at once': async em => {
    const books = await em.find(Book, {}, byId);
    return await Promise.all(books.map(async book => (await book.author.loadOrFail()).name));
  },
  'lazy loads one by one': async em => {
    const names: string[] = [];
    for (const book of await em.find(Book, {}, byId)) {
      names.push((await book.author.loadOrFail()).name);
    }
    return names;
  },
  collections: async em => {
    const authors = await em.find(Author, {}, byId);
    return await Promise.all(
      authors.map(async author => (await author.books.loadItems(byId)).map(({ title }) => title)),
    );
  },
  populate: async em =>
    (await em.find(Author, {}, { ...byId, populate: ['books'] })).map(author => author.books.getIdentifiers().length),
  'counts and raw SQL': async em => [
    await em.count(Book),
    await em.execute('select id from author order by id'),
    await em.createQueryBuilder(Book, 'b').getCount(),
  ],
  'a transaction': em =>
    em.transactional(async inner => [
      await inner.nativeUpdate(Author, { id: 2 }, { name: 'renamed' }),
      (await inner.find(Author, {}, byId)).map(({ name }) => name),
    ]),
  'what was written': async em => {
    await em.nativeUpdate(Author, { id: 3 }, { name: 'changed' });
    return (await em.fork().findOneOrFail(Author, 3, { connectionType: 'write' })).name;
  },
};

/** Asked on the primary where an answer depends on it: a replica may be behind. */
async function answers(orm: MikroORM): Promise<unknown> {
  const all: unknown[] = [];
  for (const [name, read] of Object.entries(reads)) {
    all.push([name, await read(orm.em.fork() as EntityManager)]);
    await servers.cluster.caughtUp();
  }
  return all;
}

describe.each(orders.map(names => [names.join('(), '), names] as const))('extensions: [%s()]', (_, names) => {
  const cached = names.includes('resultCache');
  const batched = names.includes('batchLoader');
  const routed = names.includes('replicaResolver');
  const without = names.filter(name => name !== 'queryTiming');

  test('answers are those without the timing', async () => {
    const expected = await answers((await open(without)).orm);
    await plain.em.fork().execute(`update author set name = 'author ' || id`);
    await servers.cluster.caughtUp();
    expect(await answers((await open(names)).orm)).toEqual(expected);
  });

  test('each query is told of once, with what the others tell of it', async () => {
    const { orm, timing, queries } = await open(names);
    await timing!.run('lists', async () => {
      const books = await orm.em.fork().find(Book, {}, byId);
      await Promise.all(books.map(book => book.author.load()));
      if (batched) {
        const em = orm.em.fork() as EntityManager;
        await Promise.all([1, 2].map(author => batch(em).find(Book, { author })));
      }
    });
    const told = queries().map(({ operation, entity, cache, batch: size, route, role, scope }) => ({
      what: `${operation} ${entity}`,
      cache,
      size,
      routed: route !== undefined,
      role: role !== undefined,
      scope: scope !== undefined,
    }));
    const common = { cache: cached ? 'miss: absent' : undefined, routed, role: true, scope: true };
    expect(told[0]).toEqual({ ...common, what: 'find Book', size: undefined });
    const loads = told.filter(({ what }) => what.endsWith('Author'));
    expect(batched ? loads.length === 1 : loads.length >= 3).toBe(true);
    for (const load of loads) {
      expect(load).toMatchObject({ routed, role: true, scope: true, size: batched ? 6 : undefined });
      expect(load.what).toMatch(/^find(One)? /);
    }
    expect(told.slice(1 + loads.length).map(({ what, size }) => [what, size])).toEqual(
      batched ? [[expect.stringMatching(/^(find|qb) Book$/), 2]] : [],
    );
    expect(timing!.report().scopes.find(({ name }) => name === 'lists')!.queries).toBeGreaterThanOrEqual(told.length);
  });

  testIf(cached)('what the cache answers is no query, and is counted', async () => {
    const { orm, timing, queries } = await open(names);
    await orm.em.fork().find(Book, {}, byId);
    const before = queries().length;
    await orm.em.fork().find(Book, {}, byId);
    expect(queries()).toHaveLength(before);
    expect(timing!.report().cache).toMatchObject({ hits: 1, entities: { Book: { hits: 1, misses: 1 } } });
  });

  testIf(batched)('what was batched is counted, and no N+1', async () => {
    const { orm, timing } = await open(names);
    await timing!.run('list', async () => {
      const books = await orm.em.fork().find(Book, {}, byId);
      await Promise.all(books.map(book => book.author.load()));
    });
    expect(timing!.report().batches).toMatchObject({ batches: 1, calls: 6 });
    expect(timing!.report().findings).toEqual([]);
  });

  testIf(routed)('nodes are told apart, with reasons', async () => {
    const { orm, timing } = await open(names);
    await orm.em.fork().find(Author, {}, { cache: false });
    await orm.em.fork().nativeUpdate(Author, { id: 1 }, { name: 'x' });
    const { nodes } = timing!.report();
    expect(nodes.find(({ role }) => role === 'primary')!.reasons).toMatchObject({ primary: expect.any(Number) });
  });

  test('lazy loads one by one are an N+1, unless somebody answers them', async () => {
    const { orm, timing } = await open(names);
    await timing!.run('list', async () => {
      for (const book of await orm.em.fork().find(Book, {}, byId)) {
        await book.author.load();
      }
    });
    // Nothing leads from a batch to those who have asked for it, but to what was read before.
    expect(timing!.report().findings).toMatchObject([
      {
        kind: 'n+1',
        count: 3,
        site: batched ? undefined : { file: import.meta.filename },
        parent: { entity: 'Book', proved: true, site: { file: import.meta.filename } },
      },
    ]);
  });

  test('each connection that is opened is told of once', async () => {
    const { orm, timing } = await open(names);
    const told: string[] = [];
    timing!.on('connect', ({ pool }) => void told.push(pool));
    // Each holds its connection until all have one.
    const pids = new Set<number>();
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const session = (): Promise<void> =>
      orm.em.fork().transactional(async em => {
        const [row] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
        if (pids.add(row!.pid).size === 8) {
          resolve();
        }
        await all;
      });
    await Promise.all(Array.from({ length: 8 }, session));
    // One may have been there before.
    expect([7, 8]).toContain(told.length);
    expect(new Set(told).size).toBe(1);
    // The resolver's pools have limits of their own, which are not those of MikroORM's.
    const limits = timing!.pools().map(({ min, max }) => ({ min, max }));
    const [limit] = names.includes('replicaResolver') ? [{ min: undefined, max: undefined }] : [{ min: 0, max: 10 }];
    expect(limits).toEqual(limits.map(() => limit));
    expect(limits.length).toBeGreaterThan(0);
  });

  test('closing and connecting again', async () => {
    const { orm, timing, queries } = await open(names);
    await orm.em.fork().count(Book);
    await orm.reconnect();
    await orm.em.fork().nativeUpdate(Author, { id: 1 }, { name: 'y' });
    expect(queries().map(({ operation }) => operation)).toEqual(['count', 'nativeUpdate']);
    await orm.close(true);
    expect(timing!.report().totals.queries).toBeGreaterThan(1);
  });
});
