import { LockMode, type MikroORM } from '@mikro-orm/core';
import { type Batch, batch, batchLoader } from '@mikrokit/batch-loader';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';
import { Author, Book, Copy, ENTITIES } from './library.ts';

/*
 * Which calls of batch(em) become which statements, and why. That the answers are right is the differential test's.
 */

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  const { url } = await openDatabase();
  orm = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader()] });
  await orm.schema.create();
  await orm.em.getConnection().execute(`
    insert into author (id, name, address_street, address_city, bio) select n, 'author ' || n, 's', 'c', 'bio ' || n from generate_series(1, 5) n;
    insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id, editor_id)
      select n, 'book ' || n, 10 * n, n + 0.5, false, 'novel', '{}', 1 + n % 5, 1 + n % 3 from generate_series(1, 40) n;
    insert into copy select n, m, 'shelf' from generate_series(1, 3) n, generate_series(1, 2) m;
    create index on book (author_id, id);
  `);
  // What the catalog says is asked for once per process.
  const b = batch(orm.em.fork());
  await Promise.all([1, 2].map(id => b.find(Book, { author: id, pages: { $gt: id } })));
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

const ids = (items: readonly object[]): unknown[] => items.map(item => (item as { id: unknown }).id);

/** The statements since, columns left out. */
const statements = (): string[] =>
  recorder.take().map(({ sql }) => sql.replaceAll(/"b0"\."id", "b0"\."title".*?"publisher_id"/g, '…'));

const open = () => batch(orm.em.fork());

describe('calls that differ in their values only are one statement', () => {
  let b: Batch;
  beforeEach(() => {
    b = open();
  });

  test('a sole key: `any`', async () => {
    const lists = await Promise.all([1, 2, 3].map(author => b.find(Book, { author }, { orderBy: { id: 1 } })));
    expect(lists.map(list => list.length)).toEqual([8, 8, 8]);
    expect(statements()).toEqual([
      'select "b0"."author_id"::text as "_mk_tag", … from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."author_id" = any(?::int4[])  order by "b0"."author_id", "b0"."id" asc limit ?',
    ]);
  });
  test('more values: the calls are a table that is joined', async () => {
    const lists = await Promise.all(
      [1, 2, 3].map(n => b.find(Book, { author: n, title: { $like: `%${n}` } }, { orderBy: { id: 1 } })),
    );
    expect(lists.map(ids)).toEqual([[], [], []]);
    expect(statements()).toEqual([
      'select "_mk"."tag" as "_mk_tag", … from unnest(?::int4[], ?::int4[], ?::text[]) as "_mk"("tag", "a1", "a2") cross join "book" as "b0" where "b0"."withdrawn" = ? and "b0"."author_id" = "_mk"."a1" and "b0"."title" like "_mk"."a2"  order by "_mk"."tag", "b0"."id" asc limit ?',
    ]);
  });

  test('limits and offsets of their own, with an index: `lateral`', async () => {
    const lists = await Promise.all(
      [1, 2, 3].map(n => b.find(Book, { author: n }, { orderBy: { id: 1 }, limit: n, offset: n })),
    );
    expect(lists.map(ids)).toEqual([[10], [11, 16], [17, 22, 27]]);
    expect(statements()).toEqual([
      'select "_mk"."tag" as "_mk_tag", "_mk_row".* from unnest(?::int4[], ?::int4[], ?::int4[], ?::int4[]) as "_mk"("tag", "a1", "a2", "a3") cross join lateral (select row_number() over () as "_mk_ord", "_mk_own".* from (select … from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."author_id" = "_mk"."a1" order by "b0"."id" asc limit "_mk"."a2" offset "_mk"."a3") as "_mk_own") as "_mk_row" order by "_mk"."tag", "_mk_row"."_mk_ord" limit ?',
    ]);
  });

  test('without an index: `window`', async () => {
    const lists = await Promise.all([1, 2, 3].map(n => b.find(Book, { editor: n }, { orderBy: { id: 1 }, limit: n })));
    expect(lists.map(ids)).toEqual([[3], [1, 4], [2, 5, 8]]);
    expect(b.explain()).toEqual([
      expect.objectContaining({ calls: 3, strategy: 'window', why: 'no index leads with "b0"."editor_id"' }),
    ]);
  });

  test('lists of any length', async () => {
    const lists = await Promise.all(
      [[1], [2, 3], [4, 5, 6]].map(list => b.find(Book, { id: { $in: list } }, { orderBy: { id: 1 } })),
    );
    expect(lists.map(ids)).toEqual([[1], [2, 3], [4, 5, 6]]);
    expect(statements()).toHaveLength(1);
  });

  test('composite keys', async () => {
    const found = await Promise.all(
      [
        [1, 1],
        [2, 2],
        [3, 9],
      ].map(([book, number]) => b.findOne(Copy, { book: book!, number: number! })),
    );
    expect(found.map(copy => copy?.number)).toEqual([1, 2, undefined]);
    expect(statements()).toHaveLength(1);
  });

  test('counts, sums, means, extremes: grouped by call', async () => {
    const authors = [1, 2, 9];
    expect(await Promise.all(authors.map(author => b.count(Book, { author })))).toEqual([8, 8, 0]);
    expect(await Promise.all(authors.map(author => b.sum(Book, 'pages', { author })))).toEqual([1800, 1480, null]);
    expect(await Promise.all(authors.map(author => b.sum(Book, 'price', { author })))).toEqual([
      '184.00',
      '152.00',
      null,
    ]);
    expect(await Promise.all(authors.map(author => b.avg(Book, 'pages', { author })))).toEqual([225, 185, null]);
    expect(await Promise.all(authors.map(author => b.min(Book, 'title', { author })))).toEqual([
      'book 10',
      'book 1',
      null,
    ]);
    expect(await Promise.all(authors.map(author => b.max(Book, 'price', { author })))).toEqual([
      '40.50',
      '36.50',
      null,
    ]);
    expect(statements().map(sql => /^select "_mk"."tag" as "_mk_tag", (\w+)/.exec(sql)?.[1])).toEqual([
      'count',
      'sum',
      'sum',
      'avg',
      'min',
      'max',
    ]);
  });

  test('a sum over a condition on a collection counts each row once', async () => {
    const totals = await Promise.all(
      [1, 2].map(book => b.sum(Book, 'pages', { id: book, copies: { shelf: 'shelf' } })),
    );
    expect(totals).toEqual([10, 20]);
    expect(statements()).toHaveLength(1);
  });

  test('whether there are any: a semi-join', async () => {
    expect(await Promise.all([1, 9].map(author => b.exists(Book, { author })))).toEqual([true, false]);
    expect(statements()).toEqual([
      'select "_mk"."tag" as "_mk_tag" from unnest(?::int4[], ?::int4[]) as "_mk"("tag", "a1") where exists (select "b0"."id" from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."author_id" = "_mk"."a1")',
    ]);
  });

  test('pages of their own size and place, with their totals', async () => {
    const first = await Promise.all(
      [1, 2, 9].map(author => b.page(Book, { author }, { orderBy: { id: 'asc' }, first: author, total: true })),
    );
    expect(first.map(page => [ids(page.items), page.totalCount, page.hasNextPage])).toEqual([
      [[5], 8, true],
      [[1, 6], 8, true],
      [[], 0, false],
    ]);
    const second = await Promise.all(
      [1, 2].map((author, index) =>
        b.page(Book, { author }, { orderBy: { id: 'asc' }, first: 7, after: first[index]!.endCursor, total: true }),
      ),
    );
    expect(second.map(page => [ids(page.items), page.totalCount, page.hasNextPage, page.hasPreviousPage])).toEqual([
      [[10, 15, 20, 25, 30, 35, 40], 8, false, true],
      [[11, 16, 21, 26, 31, 36], 8, false, true],
    ]);
    expect(b.explain().map(({ method, calls, strategy }) => ({ method, calls, strategy }))).toEqual([
      { method: 'page', calls: 3, strategy: 'lateral' },
      { method: 'page', calls: 2, strategy: 'lateral' },
    ]);
  });

  test('populated by one statement per relation, for all of them', async () => {
    const lists = await Promise.all(
      [1, 2].map(author => b.find(Book, { author, pages: { $lt: 100 } }, { populate: ['copies'] })),
    );
    expect(lists.map(list => list.map(book => book.copies.length))).toEqual([[0], [2, 0]]);
    expect(statements()).toHaveLength(2);
  });
});

describe('equal calls are one', () => {
  test('and each caller has a list of its own', async () => {
    const b = open();
    const [one, other] = await Promise.all([b.find(Book, { author: 1 }), b.find(Book, { author: 1 })]);
    expect(one).not.toBe(other);
    expect(one[0]).toBe(other[0]);
    expect(statements()).toHaveLength(1);
  });

  test('a row found by several calls is one entity', async () => {
    const b = open();
    const [one, other] = await Promise.all(
      [5, 6].map(n => b.find(Book, { pages: { $lte: 10 * n } }, { orderBy: { id: 1 } })),
    );
    expect([ids(one!), ids(other!)]).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5, 6],
    ]);
    expect(one![0]).toBe(other![0]);
  });

  test('but with disableIdentityMap they share nothing', async () => {
    const b = open();
    const [one, other] = await Promise.all(
      [5, 6].map(n => b.find(Book, { pages: { $lte: 10 * n } }, { orderBy: { id: 1 }, disableIdentityMap: true })),
    );
    expect(one![0]!.id).toBe(other![0]!.id);
    expect(one![0] === other![0]).toBe(false);
    expect(statements()).toHaveLength(1);
  });
});

describe('what is not merged is sent alone, and says why', () => {
  const reasons: [name: string, run: (b: Batch) => Promise<unknown>, reason: string][] = [
    ['a single call', b => b.find(Book, { author: 1 }), 'no other call of its kind in the batch window'],
    [
      'different shapes',
      b => Promise.all([b.find(Book, { author: 1 }), b.find(Book, { pages: { $gt: 1 } })]),
      'no other call of its shape in the batch window',
    ],
    [
      'a call with a cache',
      b => Promise.all([1, 2].map(author => b.find(Book, { author }, { cache: 50 }))),
      'cache: the result cache keeps the result of one call',
    ],
    [
      'NaN',
      b => Promise.all([1, Number.NaN].map(pages => b.find(Book, { pages: { $gt: pages } }).catch(() => 0))),
      'a value cannot travel in an array: an object, a raw fragment, NaN or a NUL character',
    ],
  ];

  test.each(reasons)('%s', async (_, run, reason) => {
    const b = open();
    const events: unknown[] = [];
    const listen = (event: unknown): void => void events.push((event as { reason?: string }).reason);
    subscribe('mikrokit:batch', listen);
    try {
      await run(b);
    } finally {
      unsubscribe('mikrokit:batch', listen);
    }
    expect(events).toContain(reason);
    expect(b.explain().map(({ strategy, why }) => [strategy, why])).toContainEqual(['alone', reason]);
  });

  test('a lock', async () => {
    await orm.em.fork().transactional(async em => {
      const b = batch(em);
      await Promise.all([1, 2].map(id => b.find(Book, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE })));
      expect(b.explain().map(({ why }) => why)).toEqual(
        Array(2).fill('lockMode: rows are locked by the call that asks for it'),
      );
    });
  });

  test('what the identity map answers is not sent at all', async () => {
    const em = orm.em.fork();
    const book = await em.findOneOrFail(Book, 1);
    recorder.clear();
    const found = await Promise.all([1, 2, 3].map(id => batch(em).findOne(Book, { id })));
    expect(found[0]).toBe(book);
    expect(statements()).toHaveLength(1);
  });
});

describe('a batch among other things', () => {
  test('sees what is not flushed yet, as em does', async () => {
    await orm.em
      .fork()
      .transactional(async em => {
        em.create(Author, { id: 90, name: 'new', bio: null, address: { street: 's', city: 'c' } } as never);
        const names = await Promise.all(
          [90, 91].map(id => batch(em).findOne(Author, { id: { $gte: id }, name: 'new' })),
        );
        expect(names.map(author => author?.id)).toEqual([90, undefined]);
        await em.rollback();
      })
      .catch(() => undefined);
  });

  test('a bad value fails its own call', async () => {
    const b = open();
    const [good, bad, other] = await Promise.allSettled(
      ['1', 'x', '2'].map(author => b.find(Book, { author: author as never, pages: { $gt: 0 } })),
    );
    expect([good!.status, bad!.status, other!.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((bad as PromiseRejectedResult).reason.message).toContain('invalid input syntax for type integer: "x"');
  });

  test('an aborted call rejects alone', async () => {
    const b = open();
    const controller = new AbortController();
    const [kept, aborted] = [b.find(Book, { author: 1 }), b.find(Book, { author: 2 }, { signal: controller.signal })];
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expect(await kept).toHaveLength(8);
  });

  test('more rows than maxRows take more statements, and nothing is lost', async () => {
    const few = await openOrm({
      url: orm.config.get('clientUrl')!,
      entities: ENTITIES,
      extensions: [batchLoader({ maxRows: 10 })],
    });
    const b = batch(few.em.fork());
    const lists = await Promise.all(
      [1, 2, 3, 4].map(n => b.find(Book, { pages: { $lte: 100 * n } }, { orderBy: { id: 1 } })),
    );
    expect(lists.map(list => list.length)).toEqual([10, 20, 30, 40]);
    const byAuthor = await Promise.all([1, 2, 3].map(author => b.find(Book, { author }, { orderBy: { id: 1 } })));
    expect(byAuthor.map(list => list.length)).toEqual([8, 8, 8]);
  });

  test('its statements can be written to the log', async () => {
    const lines: string[] = [];
    const logged = await openOrm({
      url: orm.config.get('clientUrl')!,
      entities: ENTITIES,
      extensions: [batchLoader()],
      logger: line => void lines.push(line),
    });
    const b = batch(logged.em.fork(), { explain: true });
    await Promise.all([1, 2].map(author => b.find(Book, { author })));
    expect(lines.join('\n')).toContain('2 × find(Book): any, "author_id" is the only value that differs');
  });
});
