import { defineEntity, type EntityManager, type MikroORM, p } from '@mikro-orm/postgresql';
import { resultCache, type ResultCache } from '@mikrokit/result-cache';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

/*
 * What MikroORM's documentation says of its result cache (the page "Result cache") and of the methods that read, with this
 * cache in its place.
 */

const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    age: p.integer(),
    books: () => p.oneToMany(Book).mappedBy('author'),
  },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    author: () => p.manyToOne(Author).ref(),
    tags: () => p.manyToMany(Tag).owner(),
  },
});
const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), label: p.string() } });
const Shelf = defineEntity({
  name: 'Shelf',
  expression:
    'select a.name as author, count(*)::int as books from book b join author a on a.id = b.author_id group by a.name',
  properties: { author: p.string(), books: p.integer() },
});
const entities = [Author, Book, Tag, Shelf];

async function fill(orm: MikroORM): Promise<void> {
  const em = orm.em.fork();
  await em.execute('truncate author, book, tag, book_tags cascade');
  await em.insertMany(
    Author,
    [1, 2, 3, 4].map(id => ({ id, name: `Author ${id}`, age: 40 + (id % 2) })),
  );
  await em.insertMany(
    Book,
    [1, 2, 3, 4, 5].map(id => ({ id, title: `Book ${id}`, author: id < 4 ? 1 : 2 })),
  );
  await em.insertMany(Tag, [
    { id: 1, label: 'silly' },
    { id: 2, label: 'funny' },
  ]);
  await em.execute('insert into book_tags (book_id, tag_id) values (1, 1), (1, 2), (4, 2)');
}

const cache: ResultCache = resultCache({ ttl: 60_000, jitter: 0 });
let orm: MikroORM;
beforeAll(async () => {
  orm = await openOrm({ entities, extensions: [cache] });
});
beforeEach(async () => {
  await fill(orm);
  await cache.clear();
});
const fork = (of = orm): EntityManager => of.em.fork() as EntityManager;
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** How many statements each of several calls sends, made one after the other in forks of their own; all answers are equal. */
async function statements(run: (em: EntityManager) => Promise<unknown>, times = 2, of = orm): Promise<number[]> {
  const counts: number[] = [];
  const answers: unknown[] = [];
  for (let n = 0; n < times; n += 1) {
    using recorder = recordQueries(of);
    answers.push(await run(fork(of)));
    counts.push(recorder.queries.length);
  }
  expect(answers).toEqual(answers.map(() => answers[0]));
  return counts;
}

describe('the page "Result cache"', () => {
  const populated = { populate: ['author', 'tags'], strategy: 'select-in', orderBy: { id: 1 } } as const;
  const titles = (
    books: { title: string; author: { $: { name: string } }; tags: Iterable<{ label: string }> }[],
  ): unknown =>
    books.map(({ title, author, tags }) => [
      title,
      author.$.name,
      [...tags].map(({ label }) => label).toSorted((a, b) => a.localeCompare(b)),
    ]);

  test.each([[true], [60_000], [['books', 60_000] as [string, number]]])(
    'find(), populated, cache: %o',
    async setting => {
      const find = async (em: EntityManager) =>
        titles((await em.find(Book, { author: { name: 'Author 1' } }, { ...populated, cache: setting })) as never);
      expect(await statements(find)).toEqual([3, 0]);
    },
  );

  test('findOne(), findOneOrFail(), findAndCount(), count(), findAll()', async () => {
    const name = { cache: true } as const;
    expect(await statements(async em => (await em.findOne(Book, { title: 'Book 1' }, name))?.id)).toEqual([1, 0]);
    expect(await statements(async em => (await em.findOneOrFail(Book, { title: 'Book 2' }, name)).id)).toEqual([1, 0]);
    expect(await statements(async em => (await em.findAndCount(Book, {}, { ...name, limit: 2 }))[1])).toEqual([2, 0]);
    expect(await statements(em => em.count(Book, { author: 1 }, name))).toEqual([1, 0]);
    expect(await statements(async em => (await em.findAll(Book, { ...name, where: { id: 5 } })).length)).toEqual([
      1, 0,
    ]);
  });

  test('findOneOrFail() of nothing fails each time, and is cached', async () => {
    const failure = (em: EntityManager) =>
      em.findOneOrFail(Book, { title: 'none' }, { cache: true }).catch((error: Error) => error.message);
    expect(await statements(failure)).toEqual([1, 0]);
    expect(await failure(fork())).toBe("Book not found ({ title: 'none' })");
  });

  test('the builder: execute(), getResultList(), getSingleResult(), getCount(), getResultAndCount()', async () => {
    const builder = (em: EntityManager) =>
      em.createQueryBuilder(Book, 'b').where({ author: 1 }).orderBy({ id: 1 }).cache();
    expect(await statements(em => builder(em).execute())).toEqual([1, 0]);
    expect(await statements(em => builder(em).limit(1).execute('get'))).toEqual([1, 0]);
    expect(await statements(async em => (await builder(em).limit(2).getResultList()).map(({ id }) => id))).toEqual([
      1, 0,
    ]);
    expect(await statements(async em => (await builder(em).limit(1, 1).getSingleResult())?.id)).toEqual([1, 0]);
    expect(await statements(em => builder(em).getCount())).toEqual([1, 0]);
    expect(await statements(async em => (await builder(em).limit(1, 2).getResultAndCount())[1])).toEqual([1, 0]);
  });

  test('a builder without cache() is not cached', async () => {
    expect(await statements(em => em.createQueryBuilder(Book, 'b').where({ author: 1 }).execute())).toEqual([1, 1]);
  });

  test('the entities of a hit are managed, and of the same class', async () => {
    for (let n = 0; n < 2; n += 1) {
      const em = fork();
      const [book] = await em.find(Book, { id: 1 }, { cache: true });
      expect(em.getUnitOfWork().getById('Book' as never, 1 as never) ?? book).toBe(book);
      book!.title = `changed ${n}`;
      await em.flush();
      expect((await fork().findOneOrFail(Book, 1)).title).toBe(`changed ${n}`);
    }
  });

  test('an entry expires: by the call, by the options', async () => {
    const find = (em: EntityManager, setting: number | true) => em.count(Book, {}, { cache: setting });
    expect(await statements(em => find(em, 3_000))).toEqual([1, 0]);
    await pause(3_100);
    expect(await statements(em => find(em, 3_000), 1)).toEqual([1]);
    const short = await openOrm({ entities, extensions: [resultCache({ ttl: 3_000, jitter: 0 })] });
    await fill(short);
    expect(await statements(em => find(em, true), 2, short)).toEqual([1, 0]);
    await pause(3_100);
    expect(await statements(em => find(em, true), 1, short)).toEqual([1]);
  });

  test("resultCache.expiration of MikroORM's config is the TTL where the extension has none", async () => {
    const extension = resultCache({ jitter: 0 });
    const own = await openOrm({ entities, extensions: [extension], resultCache: { expiration: 4_321 } });
    expect((await extension.explain(own.em.fork(), Book, {}, { cache: true })).ttl).toBe(4_321);
  });

  test('em.clearCache(name)', async () => {
    const named = (em: EntityManager) => em.count(Book, {}, { cache: ['count', 60_000] });
    const other = (em: EntityManager) => em.count(Author, {}, { cache: ['authors', 60_000] });
    const builder = (em: EntityManager) => em.createQueryBuilder(Tag).cache(['count', 60_000]).execute();
    for (const run of [named, other, builder]) {
      expect(await statements(run)).toEqual([1, 0]);
    }
    await fork().clearCache('count');
    expect(await Promise.all([named, other, builder].map(run => statements(run, 1)))).toHaveLength(3);
    await fork().clearCache('count');
    expect(await statements(named, 1)).toEqual([1]);
    expect(await statements(other, 1)).toEqual([0]);
    expect(await statements(builder, 1)).toEqual([1]);
    await fork().clearCache('no such name');
  });

  test('resultCache.global, and cache: false', async () => {
    const own = await openOrm({ entities, extensions: [resultCache()], resultCache: { global: 60_000 } });
    await fill(own);
    const populate = { populate: ['author', 'tags'], strategy: 'select-in' } as const;
    expect(await statements(async em => (await em.find(Book, {}, populate)).length, 2, own)).toEqual([3, 0]);
    expect(
      await statements(async em => (await em.find(Book, {}, { ...populate, cache: false })).length, 2, own),
    ).toEqual([3, 3]);
    expect(await statements(em => em.createQueryBuilder(Book).execute(), 2, own)).toEqual([1, 0]);
    expect(await statements(em => em.createQueryBuilder(Book).cache(false).execute(), 2, own)).toEqual([1, 1]);
    expect(await statements(em => em.countBy(Book, 'author'), 2, own)).toEqual([1, 0]);
    expect(await statements(em => em.execute('select 1'), 2, own)).toEqual([1, 1]);
  });
});

describe('other methods that read', () => {
  test('findByCursor()', async () => {
    const page = async (em: EntityManager, after?: string) => {
      const cursor = await em.findByCursor(Book, {
        first: 2,
        ...(after && { after }),
        orderBy: { id: 'asc' },
        cache: true,
      } as never);
      return {
        ids: cursor.items.map(({ id }: { id: number }) => id),
        total: cursor.totalCount,
        next: cursor.hasNextPage,
        end: cursor.endCursor,
      };
    };
    expect(await statements(em => page(em))).toEqual([2, 0]);
    const first = await page(fork());
    expect(first).toMatchObject({ ids: [1, 2], total: 5, next: true });
    expect(await statements(em => page(em, first.end!))).toEqual([1, 0]);
    expect(await page(fork(), first.end!)).toMatchObject({ ids: [3, 4], total: 5, next: true });
  });

  test('countBy(), with its own option', async () => {
    const count = (em: EntityManager, options: object) => em.countBy(Book, 'author', options as never);
    expect(await count(fork(), {})).toEqual({ 1: 3, 2: 2 });
    expect(await statements(em => count(em, { cache: true }))).toEqual([1, 0]);
    expect(await statements(em => count(em, {}))).toEqual([1, 1]);
    await fork().nativeDelete(Book, 5);
    expect(await count(fork(), { cache: true })).toEqual({ 1: 3, 2: 1 });
  });

  test('virtual entities are not cached, and explain() says so', async () => {
    const find = async (em: EntityManager) =>
      (await em.find(Shelf, {}, { cache: true, orderBy: { author: 1 } })).map(({ books }) => books);
    expect(await statements(find)).toEqual([1, 1]);
    expect(await statements(em => em.count(Shelf, {}, { cache: true }))).toEqual([1, 1]);
    expect(await cache.explain(fork(), Shelf, {}, { cache: true })).toMatchObject({
      cacheable: false,
      reason: 'a virtual entity',
    });
    await fork().nativeDelete(Book, { author: 2 });
    expect(await find(fork())).toEqual([3]);
  });

  test('streams are not cached', async () => {
    const ids = async (em: EntityManager) => {
      const all: number[] = [];
      for await (const book of em.stream(Book, { orderBy: { id: 1 } })) {
        all.push(book.id);
      }
      return all;
    };
    expect(await statements(ids)).toEqual([1, 1]);
  });

  test('disableIdentityMap', async () => {
    const find = async (em: EntityManager) => {
      const books = await em.find(Book, { id: 1 }, { cache: true, disableIdentityMap: true, populate: ['author'] });
      expect(em.getUnitOfWork().getIdentityMap().keys()).toHaveLength(0);
      return books.map(({ title, author }) => [title, author.$.name]);
    };
    expect(await statements(find)).toEqual([1, 0]);
  });

  test('populate with a limit for each parent', async () => {
    const find = async (em: EntityManager) => {
      const authors = await em.find(Author, { id: [1, 2] }, {
        cache: true,
        populate: ['books'],
        populateHints: { books: { limit: 1, orderBy: { id: 'desc' } } },
        orderBy: { id: 1 },
      } as never);
      return authors.map(({ books }: { books: Iterable<{ id: number }> }) => [...books].map(({ id }) => id));
    };
    expect(await statements(find)).toEqual([2, 0]);
    expect(await find(fork())).toEqual([[3], [5]]);
    await fork().insert(Book, { id: 6, title: 'Book 6', author: 1 });
    expect(await find(fork())).toEqual([[6], [5]]);
  });

  test('limit, offset and order are told apart', async () => {
    const ids = async (options: object) =>
      (await fork().find(Book, {}, { cache: true, orderBy: { id: 1 }, ...options })).map(({ id }) => id);
    for (let n = 0; n < 2; n += 1) {
      expect(await ids({ limit: 2 })).toEqual([1, 2]);
      expect(await ids({ limit: 2, offset: 2 })).toEqual([3, 4]);
      expect(await ids({ limit: 2, orderBy: { id: -1 } })).toEqual([5, 4]);
      expect(await ids({})).toEqual([1, 2, 3, 4, 5]);
    }
  });

  test('fields, which leave the rest out', async () => {
    const find = async (fields?: string[]) => {
      const [book] = await fork().find(Book, { id: 1 }, { cache: true, ...(fields && { fields: fields as never }) });
      return [book!.id, (book as { title?: string }).title];
    };
    for (let n = 0; n < 2; n += 1) {
      expect(await find(['id'])).toEqual([1, undefined]);
      expect(await find()).toEqual([1, 'Book 1']);
    }
  });

  test('em.refresh() asks the database', async () => {
    const em = fork();
    const book = await em.findOneOrFail(Book, 1, { cache: true });
    using recorder = recordQueries(orm);
    await em.refresh(book);
    await em.refresh(book, { cache: true } as never);
    expect(recorder.sql).toHaveLength(2);
  });

  test('an entity that is managed is not read at all', async () => {
    const em = fork();
    await em.find(Book, {});
    using recorder = recordQueries(orm);
    await em.findOne(Book, 1, { cache: true });
    expect(recorder.sql).toEqual([]);
  });

  test('methods of a repository', async () => {
    const repository = (em: EntityManager) => em.getRepository(Book);
    expect(await statements(async em => (await repository(em).find({ id: 1 }, { cache: true })).length)).toEqual([
      1, 0,
    ]);
    expect(await statements(async em => (await repository(em).findOne({ id: 2 }, { cache: true }))?.title)).toEqual([
      1, 0,
    ]);
    expect(await statements(em => repository(em).count({ author: 2 }, { cache: true }))).toEqual([1, 0]);
    expect(await statements(async em => (await repository(em).findAll({ cache: true })).length)).toEqual([1, 0]);
    expect(await statements(em => repository(em).createQueryBuilder('b').where({ id: 3 }).cache().execute())).toEqual([
      1, 0,
    ]);
  });

  test('collections and references of a cached find', async () => {
    const lazily = async (em: EntityManager) => {
      const author = await em.findOneOrFail(Author, 1, { cache: true });
      return await author.books.loadCount();
    };
    // A lazy load is a call of its own, without a setting.
    expect(await statements(lazily)).toEqual([2, 1]);
  });
});
