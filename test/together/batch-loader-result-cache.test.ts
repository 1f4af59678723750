import { type EntityManager, type MikroORM, type Options, defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { resultCache } from '@mikrokit/result-cache';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

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

type Reads = (em: EntityManager) => Promise<unknown>;

/** Each asks for several things at once, as resolvers do. */
const reads: Record<string, Reads> = {
  'ref.load()': async em => {
    const books = await em.find(Book, {}, { orderBy: { id: 'asc' }, cache: false });
    return await Promise.all(books.map(async book => (await book.author.loadOrFail()).name));
  },
  'collection.load()': async em => {
    const authors = await em.find(Author, {}, { orderBy: { id: 'asc' }, cache: false });
    return await Promise.all(
      authors.map(async author => (await author.books.loadItems({ orderBy: { id: 'asc' } })).map(book => book.title)),
    );
  },
  'collection.loadCount()': async em => {
    const authors = await em.find(Author, {}, { orderBy: { id: 'asc' }, cache: false });
    return await Promise.all(authors.map(author => author.books.loadCount()));
  },
  'batch(em).find()': em =>
    Promise.all(
      [1, 2, 3].map(async author =>
        (await batch(em).find(Book, { author }, { orderBy: { id: 'asc' } })).map(book => book.title),
      ),
    ),
  'batch(em).findOne() and count()': em =>
    Promise.all(
      [1, 2, 3].map(async id => [
        (await batch(em).findOne(Author, id))?.name,
        await batch(em).count(Book, { author: id }),
      ]),
    ),
};

const orders: Record<string, () => Options['extensions']> = {
  'batchLoader(), resultCache()': () => [batchLoader(), resultCache()],
  'resultCache(), batchLoader()': () => [resultCache(), batchLoader()],
};

let url: string;
let plain: MikroORM;

beforeAll(async () => {
  ({ url } = await openDatabase());
  plain = await openOrm({ url, entities: [Author, Book] });
  await plain.schema.create();
});

async function refill(): Promise<void> {
  const em = plain.em.fork();
  await em.execute('truncate "author", "book"');
  await em.insertMany(
    Author,
    [1, 2, 3].map(id => ({ id, name: `author ${id}` })),
  );
  await em.insertMany(
    Book,
    [1, 2, 3, 4, 5, 6].map(id => ({ id, title: `book ${id}`, author: 1 + (id % 3) })),
  );
}

describe.each(Object.entries(orders))('extensions: [%s]', (_, extensions) => {
  test.each(Object.entries(reads))('%s answers as without them, before and after writes', async (_name, read) => {
    await refill();
    await using orm = await createOrm({ url, entities: [Author, Book], extensions: extensions()! });
    const together = (): Promise<unknown> => read(orm.em.fork() as EntityManager);
    // The plain one has no batch(): its own calls, one by one, are what is expected.
    const expected = async (): Promise<unknown> => {
      await using fresh = await createOrm({ url, entities: [Author, Book], extensions: [batchLoader()] });
      return await read(fresh.em.fork() as EntityManager);
    };
    expect(await together()).toEqual(await expected());
    expect(await together()).toEqual(await expected());
    await orm.em.fork().nativeUpdate(Author, { id: 2 }, { name: 'renamed' });
    expect(await together()).toEqual(await expected());
    const em = orm.em.fork();
    const book = await em.findOneOrFail(Book, 4);
    book.author = em.getReference(Author, 1, { wrapped: true });
    book.title = 'moved';
    await em.flush();
    expect(await together()).toEqual(await expected());
    expect(await together()).toEqual(await expected());
    await orm.em.fork().nativeDelete(Book, { id: 1 });
    expect(await together()).toEqual(await expected());
  });

  test('lazy loads of a batch are one entry, and none is read again', async () => {
    await refill();
    await using orm = await createOrm({ url, entities: [Author, Book], extensions: extensions()! });
    await reads['ref.load()']!(orm.em.fork() as EntityManager);
    using recorder = recordQueries(orm);
    await reads['ref.load()']!(orm.em.fork() as EntityManager);
    expect(recorder.take().map(({ sql }) => sql)).toEqual(['select "b0".* from "book" as "b0" order by "b0"."id" asc']);
  });
});
