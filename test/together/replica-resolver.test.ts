import { type MikroORM, type Options, defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { resultCache } from '@mikrokit/result-cache';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openReplicated, type Replicated, type ReplicatedOrm } from '../replica-resolver/fixtures/open-replicated.ts';
import { testIf } from './test-if.ts';

const Author = defineEntity({
  name: 'Author',
  resultCache: { ttl: 60_000 },
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
const Book = defineEntity({
  name: 'Book',
  resultCache: { ttl: 60_000, partitionBy: ['author'] },
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});
const entities = [Author, Book];

type Extensions = NonNullable<Options['extensions']>;

/** What stands before the resolver in `extensions`, and what behind it. */
const orders: Record<string, () => { before?: Extensions; after?: Extensions }> = {
  'resultCache(), resolver': () => ({ before: [resultCache()] }),
  'resolver, resultCache()': () => ({ after: [resultCache()] }),
  'batchLoader(), resolver': () => ({ before: [batchLoader()] }),
  'resolver, batchLoader()': () => ({ after: [batchLoader()] }),
  'batchLoader(), resultCache(), resolver': () => ({ before: [batchLoader(), resultCache()] }),
  'resultCache(), batchLoader(), resolver': () => ({ before: [resultCache(), batchLoader()] }),
  'batchLoader(), resolver, resultCache()': () => ({ before: [batchLoader()], after: [resultCache()] }),
  'resultCache(), resolver, batchLoader()': () => ({ before: [resultCache()], after: [batchLoader()] }),
  'resolver, batchLoader(), resultCache()': () => ({ after: [batchLoader(), resultCache()] }),
  'resolver, resultCache(), batchLoader()': () => ({ after: [resultCache(), batchLoader()] }),
};

let servers: Replicated;
let plain: MikroORM;
beforeAll(async () => {
  servers = await openReplicated();
  ({ orm: plain } = await servers.open({ entities }));
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

describe.each(Object.entries(orders))('extensions: [%s]', (name, order) => {
  const cached = name.includes('resultCache');
  const batched = name.includes('batchLoader');
  const open = (): Promise<ReplicatedOrm> => servers.open({ entities, ...order() });

  const names = async ({ orm }: ReplicatedOrm): Promise<string[]> =>
    (await orm.em.fork().find(Author, {}, { orderBy: { id: 'asc' } })).map(author => author.name);

  test('what is written is read, though the replicas have not replayed it, and after they have', async () => {
    const replicated = await open();
    const before = ['author 1', 'author 2', 'author 3'];
    const after = ['author 1', 'renamed', 'author 3'];
    await servers.pause();
    try {
      await replicated.resolver.run({}, async () => {
        expect(await names(replicated)).toEqual(before);
        await replicated.orm.em.fork().nativeUpdate(Author, { id: 2 }, { name: 'renamed' });
        expect(await names(replicated)).toEqual(after);
        expect(await names(replicated)).toEqual(after);
      });
    } finally {
      await servers.resume();
    }
    expect(await names(replicated)).toEqual(after);
  });

  testIf(cached)('what a replica that is behind says is not kept for those who have seen more', async () => {
    const replicated = await open();
    const { orm, resolver } = replicated;
    await servers.pause();
    try {
      await resolver.run({}, async () => {
        await orm.em.fork().nativeUpdate(Author, { id: 2 }, { name: 'renamed' });
        // Somebody who may read what is old does so, right behind the write.
        await resolver.run({ consistency: 'eventual' }, () => names(replicated));
        expect(await names(replicated)).toEqual(['author 1', 'renamed', 'author 3']);
      });
    } finally {
      await servers.resume();
    }
    expect(await names(replicated)).toEqual(['author 1', 'renamed', 'author 3']);
  });

  testIf(cached)('a second read is answered by the cache: no server is asked', async () => {
    const replicated = await open();
    await names(replicated);
    const { asked, routes } = await replicated.watch(() => names(replicated));
    expect({ asked, routes }).toEqual({ asked: {}, routes: [] });
  });

  testIf(batched)('reads of one moment are one statement', async () => {
    const { orm, watch } = await open();
    const em = orm.em.fork();
    const { result, asked } = await watch(() =>
      Promise.all(
        [1, 2, 3].map(async author => (await batch(em).find(Book, { author }, { orderBy: { id: 'asc' } })).length),
      ),
    );
    expect(result).toEqual([2, 2, 2]);
    const ofBooks = Object.values(asked)
      .flat()
      .filter(sql => sql.includes('from "book"'));
    expect(ofBooks).toHaveLength(1);
  });

  testIf(batched)('lazy loads of one moment see what the session has written', async () => {
    const { orm, resolver } = await open();
    await servers.pause();
    try {
      await resolver.run({}, async () => {
        await orm.em.fork().nativeUpdate(Author, { id: 2 }, { name: 'renamed' });
        const books = await orm.em.fork().find(Book, {}, { orderBy: { id: 'asc' } });
        const seen = await Promise.all(books.map(async book => (await book.author.loadOrFail()).name));
        expect(seen.filter(each => each === 'renamed')).toHaveLength(2);
      });
    } finally {
      await servers.resume();
    }
  });
});
