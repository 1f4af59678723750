import { DataloaderType, type MikroORM, wrap } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';
import { Author, Book, Copy, ENTITIES, Loan, Tag } from './library.ts';

/*
 * Which calls become which statements, and what they leave behind. That the answers are right is the differential test's.
 */

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  const { url } = await openDatabase();
  orm = await openOrm({
    url,
    entities: ENTITIES,
    extensions: [batchLoader()],
    replicas: [{ name: 'replica', clientUrl: url }],
  });
  await orm.schema.create();
  await orm.em.getConnection().execute(`
    insert into author (id, name, address_street, address_city, bio) select n, 'author ' || n, 's', 'c', 'bio ' || n from generate_series(1, 3) n;
    insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id)
      select n, 'book ' || n, 10 * n, 1, false, 'novel', '{}', 1 + (n - 1) / 3 from generate_series(1, 9) n;
    insert into tag select n, 'tag ' || n, n from generate_series(1, 3) n;
    insert into book_tags select n, 1 + n % 3 from generate_series(1, 9) n;
    insert into author_tags select n, n from generate_series(1, 3) n;
    insert into copy select n, m, 'shelf' from generate_series(1, 2) n, generate_series(1, 2) m;
    insert into loan (id, copy_book_id, copy_number) select n, 1 + n % 2, 1 + n % 2 from generate_series(1, 4) n;
  `);
  // What the catalog says of indexes is asked for once.
  await (await orm.em.fork().findOneOrFail(Author, 1)).books.load({ limit: 1 });
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

const ids = (items: readonly object[]): unknown[] => items.map(item => (item as { id: unknown }).id);

/** The statements since, columns left out. */
const statements = (): string[] =>
  recorder.take().map(({ sql }) => sql.replaceAll(/select .*? from/g, 'select … from'));

const books = () => orm.em.fork().find(Book, {}, { orderBy: { id: 'asc' } });
const authors = () => orm.em.fork().find(Author, {}, { orderBy: { id: 'asc' } });

describe('each kind of load is one statement', () => {
  test('references: each target once', async () => {
    const loaded = await books();
    recorder.clear();
    const writers = await Promise.all(loaded.map(book => book.author.load()));
    expect(ids(writers as object[])).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
    expect(recorder.queries[0]!.params).toEqual([
      expect.objectContaining({ sql: 'any(?::bigint[])', params: ['{1,2,3}'] }),
    ]);
    expect(statements()).toEqual([
      'select … from "author" as "a0" left join "profile" as "p1" on "a0"."id" = "p1"."author_id" where "a0"."id" = ?',
    ]);
  });

  test('references with two keys', async () => {
    const loans = await orm.em.fork().find(Loan, {}, { orderBy: { id: 'asc' } });
    recorder.clear();
    await Promise.all(loans.map(loan => loan.copy.load()));
    expect(statements()).toEqual([
      expect.stringMatching(/where \("c0"."book_id", "c0"."number"\) in \(\(\?, \?\), \(\?, \?\)\)$/),
    ]);
  });

  test('a 1:M', async () => {
    const loaded = await authors();
    recorder.clear();
    const items = await Promise.all(loaded.map(author => author.books.loadItems()));
    expect(items.map(ids)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(statements()).toEqual([
      'select … from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."author_id" in (?, ?, ?)',
    ]);
  });

  test('an M:N, from both sides', async () => {
    const em = orm.em.fork();
    const [loaded, tags] = [await em.find(Author, {}), await em.find(Tag, {})];
    recorder.clear();
    await Promise.all([...loaded.map(author => author.tags.load()), ...tags.map(tag => tag.books.load())]);
    expect(statements().sort((a, b) => (a < b ? -1 : 1))).toEqual([
      'select … from "author_tags" as "a0" inner join "tag" as "t1" on "a0"."tag_id" = "t1"."id" where "a0"."author_id" in (?, ?, ?)',
      expect.stringMatching(
        /^select … from "book_tags" as "b0" inner join "book" .* where "b0"."tag_id" in \(\?, \?, \?\)/,
      ),
    ]);
  });

  test('counts', async () => {
    const loaded = await authors();
    recorder.clear();
    expect(await Promise.all(loaded.map(author => author.books.loadCount({ where: { pages: { $gt: 20 } } })))).toEqual([
      1, 3, 3,
    ]);
    expect(statements()).toEqual([
      'select … from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."pages" > ? and "b0"."author_id" in (?, ?, ?) group by "b0"."author_id"',
    ]);
  });

  test('lazy scalars', async () => {
    const loaded = await authors();
    recorder.clear();
    expect(await Promise.all(loaded.map(author => author.bio!.load()))).toEqual(['bio 1', 'bio 2', 'bio 3']);
    expect(statements()).toEqual([
      expect.stringMatching(/^select … from "author" .* where "a0"."id" in \(\?, \?, \?\)$/),
    ]);
  });

  test('wrap(e).init(), beside ref.load()', async () => {
    const em = orm.em.fork();
    const loaded = [1, 2, 3].map(id => em.getReference(Author, id));
    await Promise.all([
      wrap(loaded[0]!).init(),
      wrap(loaded[1]!).init(),
      em.getReference(Author, 3, { wrapped: true }).load(),
    ]);
    expect(loaded.map(author => author.name)).toEqual(['author 1', 'author 2', 'author 3']);
    expect(statements()).toHaveLength(2);
  });

  test('populating the items of loaded collections', async () => {
    const loaded = await orm.em.fork().find(Author, {}, { populate: ['books'] });
    recorder.clear();
    await Promise.all(loaded.map(author => author.books.load({ populate: ['tags'] })));
    expect(statements()).toHaveLength(1);
  });
});

describe('what differs is another statement, what does not is none', () => {
  test('connectionType', async () => {
    const loaded = await authors();
    recorder.clear();
    await Promise.all(
      loaded.map((author, index) => author.books.load({ connectionType: index === 0 ? 'write' : 'read' })),
    );
    expect(recorder.queries.map(({ via, params }) => ({ via, params }))).toEqual(
      expect.arrayContaining([
        { via: 'write', params: [false, 1] },
        { via: 'read', params: [false, 2, 3] },
      ]),
    );
    expect(recorder.queries).toHaveLength(2);
  });

  test('a condition for each owner is still one statement, from any side', async () => {
    const em = orm.em.fork();
    const loaded = await em.find(Author, {}, { orderBy: { id: 'asc' } });
    const tags = await em.find(Tag, {}, { orderBy: { id: 'asc' } });
    const copies = await em.find(Copy, {}, { orderBy: { book: 'asc', number: 'asc' } });
    recorder.clear();
    const items = await Promise.all([
      ...loaded.map((author, n) => author.books.loadItems({ where: { pages: 10 * (3 * n + 1) } })),
      ...tags.map((tag, n) => tag.books.loadItems({ where: { pages: { $gt: 30 * n } } })),
      ...copies.map((copy, n) => copy.loans.loadItems({ where: { id: { $gt: BigInt(n) } } })),
    ]);
    expect(items.map(list => list.length)).toEqual([1, 1, 1, 3, 2, 1, 2, 0, 0, 0]);
    expect(recorder.queries).toHaveLength(3);
  });

  test('equal calls are one', async () => {
    const [book] = await books();
    recorder.clear();
    const [a, b] = await Promise.all([book!.author.load(), book!.author.load()]);
    expect(a).toBe(b);
    expect(statements()).toHaveLength(1);
  });

  test('{ dataloader: false } goes alone', async () => {
    const loaded = await books();
    recorder.clear();
    await Promise.all(loaded.slice(0, 3).map(book => wrap(book).init({ dataloader: false } as never)));
    expect(statements()).toHaveLength(3);
  });

  test('maxBatchSize cuts a batch into statements', async () => {
    const chunked = await openOrm({
      url: orm.config.get('clientUrl')!,
      entities: ENTITIES,
      extensions: [batchLoader({ maxBatchSize: 2 })],
    });
    using chunks = recordQueries(chunked);
    const loaded = await chunked.em.fork().find(Author, {});
    chunks.clear();
    expect((await Promise.all(loaded.map(author => author.books.loadItems()))).map(items => items.length)).toEqual([
      3, 3, 3,
    ]);
    expect(chunks.queries).toHaveLength(2);
  });

  test('whatever dataloader setting MikroORM has', async () => {
    for (const dataloader of [DataloaderType.NONE, DataloaderType.REFERENCE, false, true] as const) {
      const other = await openOrm({
        url: orm.config.get('clientUrl')!,
        entities: ENTITIES,
        dataloader,
        extensions: [batchLoader()],
      });
      using seen = recordQueries(other);
      const loaded = await other.em.fork().find(Author, {});
      seen.clear();
      await Promise.all(loaded.map(author => author.books.load()));
      expect(seen.queries).toHaveLength(1);
    }
  });
});

describe('the keys of a batch', () => {
  test('find their rows by the index, as an array of bigint does on an integer column', async () => {
    const connection = orm.em.getConnection();
    const plan = await connection.transactional(async trx => {
      await connection.execute('set local enable_seqscan = off', [], 'run', trx);
      const explain = `explain select * from author where id = any('{1,2,3}'::bigint[])`;
      return connection.execute<Record<string, string>[]>(explain, [], 'all', trx);
    });
    expect(plan.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n')).toMatch(
      /Index Cond: \(id = ANY \('\{1,2,3\}'::bigint\[\]\)\)/,
    );
  });
});

describe('a limit', () => {
  test('stops at the limit of each owner where an index finds its items', async () => {
    await orm.em.getConnection().execute('create index book_by_author on book (author_id)');
    const indexed = await openOrm({
      url: orm.config.get('clientUrl')!,
      entities: ENTITIES,
      extensions: [batchLoader()],
    });
    const loaded = await indexed.em.fork().find(Author, {}, { orderBy: { id: 'asc' } });
    using own = recordQueries(indexed);
    const items = await Promise.all(
      loaded.map(author => author.books.loadItems({ limit: 2, orderBy: { pages: 'desc' } })),
    );
    expect(items.map(ids)).toEqual([
      [3, 2],
      [6, 5],
      [9, 8],
    ]);
    expect(own.queries.at(-1)!.sql).toMatch(
      /from unnest\(\?::integer\[\]\) as "_mk"\("parent"\) cross join lateral \(.* where "b0"."withdrawn" = \? and "b0"."author_id" = "_mk"."parent" order by .* limit \? offset \?\)/,
    );
    await orm.em.getConnection().execute('drop index book_by_author');
  });

  test('counts per owner, with an offset and an order', async () => {
    const loaded = await authors();
    recorder.clear();
    const items = await Promise.all(
      loaded.map(author => author.books.loadItems({ limit: 1, offset: 1, orderBy: { pages: 'desc' } })),
    );
    expect(items.map(ids)).toEqual([[2], [5], [8]]);
    expect(recorder.queries).toHaveLength(1);
  });

  test('leaves the collection partial and read-only, and the next full load mends that', async () => {
    const [author] = await authors();
    await author!.books.load({ limit: 1 });
    expect([author!.books.isPartial(), author!.books.length]).toEqual([true, 1]);
    expect(() => author!.books.add(author!.books[0]!)).toThrow(
      'You cannot modify collection Author.books as it is marked as readonly',
    );
    await author!.books.load();
    expect([author!.books.isPartial(), author!.books.length]).toEqual([false, 3]);
    expect(author!.books.add(author!.books[0]!)).toBe(0);
  });
});

describe('a loaded collection', () => {
  test('is not loaded again for what it holds', async () => {
    const [author] = await authors();
    await author!.books.load({ where: { pages: { $gt: 10 } }, orderBy: { id: 'desc' } });
    recorder.clear();
    expect(ids(await author!.books.loadItems({ where: { pages: { $gt: 10 } }, orderBy: { id: 'desc' } }))).toEqual([
      3, 2,
    ]);
    expect(statements()).toEqual([]);
  });

  test('is loaded again for something else, one call after the other', async () => {
    const [author] = await authors();
    const lists = [];
    for (const options of [
      { limit: 2 },
      { limit: 1 },
      { limit: 3 },
      {},
      { where: { pages: 20 } },
      {},
      { filters: { available: false } },
    ]) {
      lists.push(ids(await author!.books.loadItems({ orderBy: { id: 'asc' }, ...options })));
    }
    expect(lists).toEqual([[1, 2], [1], [1, 2, 3], [1, 2, 3], [2], [1, 2, 3], [1, 2, 3]]);
  });

  test('keeps what was added and not written yet', async () => {
    const em = orm.em.fork();
    const [author] = await em.find(Author, [1]);
    const added = em.create(Book, {
      id: 99,
      title: 'new',
      pages: 1,
      price: '1',
      withdrawn: false,
      genre: 'essay',
      keywords: [],
      author: author!,
    } as never);
    await author!.books.load();
    expect(author!.books.getItems()).toContain(added);
    expect(author!.books).toHaveLength(4);
  });
});

test('composite owners count and load', async () => {
  const copies = await orm.em.fork().find(Copy, {}, { orderBy: { book: 'asc', number: 'asc' } });
  recorder.clear();
  const counts = Promise.all(copies.map(copy => copy.loans.loadCount()));
  const items = Promise.all(copies.map(copy => copy.loans.loadItems()));
  expect([await counts, (await items).map(list => list.length)]).toEqual([
    [2, 0, 0, 2],
    [2, 0, 0, 2],
  ]);
  expect(recorder.queries).toHaveLength(2);
});
