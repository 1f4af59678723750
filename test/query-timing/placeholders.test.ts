import { raw } from '@mikro-orm/core';
import { defineEntity, type MikroORM, p, type SqlEntityManager } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, test } from 'vitest';
import { placeholders } from '../../packages/query-timing/src/sql/placeholders.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries, type Recorder } from '../harness/recorder.ts';

/* Where the values of a statement stand: beside which column of which table, and in which clause. */

/** `0 book.id = where`; `-` is what is not told. */
const told = (sql: string): string[] =>
  placeholders(sql).map(({ index, table = '-', column = '-', operator = '-', place }) =>
    [index, `${table}.${column}`, operator, place].join(' '),
  );

type Case = readonly [sql: string, ...told: string[]];

function cases(name: string, list: readonly Case[]): void {
  describe(`${name}`, () => {
    test.for(list.map(([sql, ...expected]) => ({ sql, expected })))('$sql', ({ sql, expected }) => {
      expect(told(sql)).toEqual(expected);
    });
  });
}

cases('compared with a column', [
  ['select * from book where "id" = ?', '0 book.id = where'],
  ['select * from "s"."book" where id = ?', '0 book.id = where'],
  [
    'select "b0".* from "book" as "b0" where "b0"."id" = ? and ("b0"."x" > ? or not "b0"."y" <= ?)',
    '0 book.id = where',
    '1 book.x > where',
    '2 book.y <= where',
  ],
  ['select * from book b where b.id <> ? and b.id != ?', '0 book.id <> where', '1 book.id <> where'],
  ['select * from book where book.id < ? or s.book.id >= ?', '0 book.id < where', '1 book.id >= where'],
  [
    'select * from a where x like ? and y not like ? and z ilike ? and w similar to ?',
    '0 a.x like where',
    '1 a.y not like where',
    '2 a.z ilike where',
    '3 a.w similar to where',
  ],
  [
    'select * from a where x ~ ? and y !~* ? and z @> ? and w && ?',
    '0 a.x ~ where',
    '1 a.y !~* where',
    '2 a.z @> where',
    '3 a.w && where',
  ],
  [
    'select * from a where x between ? and ? and y not between ? and 5',
    '0 a.x between where',
    '1 a.x between where',
    '2 a.y not between where',
  ],
  [
    'select * from a where x between symmetric ?::date and ? and y = ?',
    '0 a.x between where',
    '1 a.x between where',
    '2 a.y = where',
  ],
  [
    'select * from a where x is distinct from ? and y is not distinct from ?',
    '0 a.x is distinct from where',
    '1 a.y is not distinct from where',
  ],
  [
    'select * from a where x::text = ? and y = ?::uuid and z = ?::"s"."t"[]',
    '0 a.x = where',
    '1 a.y = where',
    '2 a.z = where',
  ],
  ['select * from a where ? = x and ? < a.y and ? >= a.z', '0 a.x = where', '1 a.y > where', '2 a.z <= where'],
  ['select * from a where x = (?) and y > (?::int)', '0 a.x = where', '1 a.y > where'],
  ['select * from a join b on a.x = b.y and b.z = ? where a.w = ?', '0 b.z = where', '1 a.w = where'],
  ['select x from a group by x having x = ?', '0 a.x = where'],
  ['select case when x = ? then 1 else ? end from a order by y = ?', '0 a.x = other', '1 -.- - other', '2 a.y = other'],
  ['select * from a where x like ? escape ?', '0 a.x like where', '1 -.- - where'],
  ['delete from "book" as "b0" where "b0"."id" = ? returning "x" = ?', '0 book.id = where', '1 book.x = other'],
]);

cases('in a list', [
  ['select * from a where x in (?)', '0 a.x in where'],
  [
    'select * from a where a.x in (?, 2, ?::int) and y not in (?)',
    '0 a.x in where',
    '1 a.x in where',
    '2 a.y not in where',
  ],
  [
    'select * from a where x = any(?) and y <> all (?::int[]) and z = some(?)',
    '0 a.x = any where',
    '1 a.y <> all where',
    '2 a.z = any where',
  ],
  [
    'select * from a where x = any(array[?, ?]) and y > any(array[?]::int[])',
    '0 a.x = any where',
    '1 a.x = any where',
    '2 a.y > any where',
  ],
  [
    'select * from a where (x, a.y) in ((?, ?), (?, 4), (5, ?))',
    '0 a.x in where',
    '1 a.y in where',
    '2 a.x in where',
    '3 a.y in where',
  ],
  ['select * from a where (x, y) not in ((?, ?))', '0 a.x not in where', '1 a.y not in where'],
  [
    'select * from a where (x, y) = (?, ?) and (z, w) > (?, ?) and row(x) = (?)',
    '0 a.x = where',
    '1 a.y = where',
    '2 a.z > where',
    '3 a.w > where',
    '4 a.x = where',
  ],
]);

cases('limit and offset', [
  ['select * from a limit ? offset ?', '0 -.- - limit', '1 -.- - offset'],
  ['select * from a offset ? rows fetch next ? rows only', '0 -.- - offset', '1 -.- - limit'],
  ['select * from (select * from a limit ?) b where b.x = ?', '0 -.- - limit', '1 -.x = where'],
  ['select * from a limit (? + 1) for update', '0 -.- - limit'],
]);

cases('what is written', [
  [
    'insert into "book" ("title", "price") values (?, ?), (default, ?)',
    '0 book.title - values',
    '1 book.price - values',
    '2 book.price - values',
  ],
  ['insert into s.book as b (title) values (?::text) returning id = ?', '0 book.title - values', '1 book.id = other'],
  ['insert into book values (?, ?)', '0 -.- - values', '1 -.- - values'],
  ['insert into book (title, x) values (lower(?), array[?, ?])', '0 -.- - values', '1 -.- - values', '2 -.- - values'],
  [
    'insert into book (title, x) values (? || ?, (select ? from a where b = ?))',
    '0 -.- - values',
    '1 -.- - values',
    '2 -.- - other',
    '3 -.b = where',
  ],
  ['insert into book (title, x) values (1, (?))', '0 -.- - values'],
  [
    'insert into book (id) select x from a where y = ? on conflict (id) do update set n = 1 where book.z = ?',
    '0 a.y = where',
    '1 book.z = where',
  ],
  ['insert into book (title) select ? from a where x = ? on conflict do nothing', '0 -.- - other', '1 a.x = where'],
  [
    'insert into "book" ("id", "n") values (?, ?) on conflict ("id") do update set "n" = ?, "m" = "book"."m" + ? where "book"."x" = ? and excluded."y" > ?',
    '0 book.id - values',
    '1 book.n - values',
    '2 book.n = set',
    '3 -.- - set',
    '4 book.x = where',
    '5 book.y > where',
  ],
  [
    'update "book" set "title" = ?, "price" = ?::int, "n" = "n" + ?, "t" = lower(?) where "id" = ?',
    '0 book.title = set',
    '1 book.price = set',
    '2 -.- - set',
    '3 -.- - set',
    '4 book.id = where',
  ],
  [
    'update book as b set x = ? from author a where a.id = b.author_id and a.y = ?',
    '0 book.x = set',
    '1 author.y = where',
  ],
  [
    'update book set (x, y) = (?, ?), (z) = (?) where w = ?',
    '0 book.x = set',
    '1 book.y = set',
    '2 book.z = set',
    '3 book.w = where',
  ],
  [
    'update "book" set "title" = case when ("id" = ?) then ? when ("id" = ?) then ? else ? end, "n" = case when x then ? || y end where "id" in (?, ?)',
    '0 book.id = other',
    '1 book.title = set',
    '2 book.id = other',
    '3 book.title = set',
    '4 book.title = set',
    '5 -.- - set',
    '6 book.id in where',
    '7 book.id in where',
  ],
  [
    'merge into a using b on a.x = ? when matched and b.y = ? then update set z = ? when not matched and b.u = ? then insert (v, w) values (?, ?)',
    '0 a.x = where',
    '1 b.y = where',
    '2 a.z = set',
    '3 b.u = where',
    '4 a.v - values',
    '5 a.w - values',
  ],
  [
    'with i as (insert into a (x) values (?) returning *) update b set y = ? where z = ?',
    '0 a.x - values',
    '1 b.y = set',
    '2 b.z = where',
  ],
]);

cases('which table', [
  [
    'select * from "book" "b", author as a where b.x = ? and a.y = ? and z = ?',
    '0 book.x = where',
    '1 author.y = where',
    '2 -.z = where',
  ],
  [
    'select * from (select * from a where x = ?) t where t.x = ? and y = ?',
    '0 -.x = where',
    '1 -.x = where',
    '2 -.y = where',
  ],
  [
    'select * from a where x in (select y from b where b.z = ? and a.w = ? and v = ?)',
    '0 b.z = where',
    '1 a.w = where',
    '2 -.v = where',
  ],
  ['select * from a t where exists (select 1 from b t where t.x = ?) and t.x = ?', '0 b.x = where', '1 a.x = where'],
  ['select * from a t where t.x = ? union select * from b t where t.x = ?', '0 a.x = where', '1 b.x = where'],
  [
    'with a as (select * from b where b.x = ?) select * from a join c on c.y = ? where a.x = ?',
    '0 b.x = where',
    '1 c.y = where',
    '2 -.x = where',
  ],
  ['with a (x) as materialized (select 1) select * from a where x = ?', '0 -.x = where'],
  ['select * from f(?) g where g.x = ? and y = ?', '0 -.- - other', '1 -.x = where', '2 -.y = where'],
  [
    'select * from (a join b on a.x = ?) left join lateral (select * from c where c.x = a.y and c.z = ?) d on d.w = ?',
    '0 a.x = where',
    '1 c.z = where',
    '2 -.w = where',
  ],
  ['select * from only a where x = ?', '0 a.x = where'],
  ['delete from a using b t where t.x = ? and a.y = ?', '0 b.x = where', '1 a.y = where'],
  ['select * from (values (?, ?)) v (x) where v.x = ?', '0 -.- - values', '1 -.- - values', '2 -.x = where'],
  ['select * from a t, b t where t.x = ?', '0 -.x = where'],
  ['select * from a, (select 1) t where x = ?', '0 -.x = where'],
  ['select * from a where extract(year from b) = 1 and x = ?', '0 a.x = where'],
  ['select * from a where x = ?; select * from b where y = ?', '0 a.x = where', '1 b.y = where'],
  ['select * from ?? as t where t.?? = ?', '2 -.- - where'],
]);

cases('nothing is told where something else is compared', [
  ['select * from a where lower(x) = ? and x = lower(?)', '0 -.- - where', '1 -.- - where'],
  ['select * from a where x + 1 = ? and 1 - x = ?', '0 -.- - where', '1 -.- - where'],
  ['select * from a where x = ? + 1 and y = ? || z and w = ?->b', '0 -.- - where', '1 -.- - where', '2 -.- - where'],
  ["select * from a where x->>'b' = ? and x -> ? = y and (x).b = ?", '0 -.- - where', '1 -.- - where', '2 -.- - where'],
  ['select * from a where x[1] = ? and y[?] = 1', '0 -.- - where', '1 -.- - where'],
  ['select * from a where coalesce(x, ?) = 1 and f(a, ?)', '0 -.- - where', '1 -.- - where'],
  [
    'select * from a where x in (?, y + ?) and (x, lower(y)) in ((?, ?))',
    '0 a.x in where',
    '1 -.- - where',
    '2 -.- - where',
    '3 -.- - where',
  ],
  [
    'select * from a where f(x, y) = (?, ?) and true = ? and null in (?)',
    '0 -.- - where',
    '1 -.- - where',
    '2 -.- - where',
    '3 -.- - where',
  ],
  ['select * from a where case x when ? then 1 else y end = ?', '0 -.- - where', '1 -.- - where'],
  ['select * from a where (x, y) in (?) and x = (?, 1)', '0 -.- - where', '1 -.- - where'],
  ['select * from a where ((x, y), z) = (?, ?)', '0 -.- - where', '1 -.- - where'],
  ['select ?, ? as x, f(?)', '0 -.- - other', '1 -.- - other', '2 -.- - other'],
  ['select extract(year from x) = ? from a', '0 -.- - other'],
]);

cases('which parameter', [
  [
    'select \'what?\', ? /* ? */ from a -- ?\nwhere "x?" = ? and $$?$$ = y and z = ?',
    '1 -.- - other',
    '5 a.x? = where',
    '7 a.z = where',
  ],
  ['select * from a where ?? = ? and b = ?', '1 -.- - where', '2 a.b = where'],
  ['select * from a where x \\? ? and y \\?| ? and z = ?', '0 -.- - where', '1 -.- - where', '2 a.z = where'],
  ['select * from a where x = $2 and y = $1 and z = $2', '1 a.x = where', '0 a.y = where', '1 a.z = where'],
  ['select * from a where x ? $1 and y = $2', '0 -.- - where', '1 a.y = where'],
  ["select * from a where x = '?' and y = 5"],
]);

test('no more is told than 20 000 pieces have', () => {
  const found = placeholders(`select * from a where x in (${'?, '.repeat(50_000)}?) and y = ?`);
  expect(found.length).toBeGreaterThan(9_000);
  expect(found.length).toBeLessThan(10_001);
  expect(new Set(found.map(({ column, operator }) => `${column} ${operator}`))).toEqual(new Set(['x in']));
});

const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    born: p.date().nullable(),
    books: () => p.oneToMany(Book).mappedBy('author'),
  },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    price: p.decimal('number').nullable(),
    meta: p.json().nullable(),
    cover: p.blob().nullable(),
    author: () => p.manyToOne(Author),
    tags: () => p.manyToMany(Tag).inversedBy('books'),
  },
});
const Tag = defineEntity({
  name: 'Tag',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.manyToMany(Book).mappedBy('tags') },
});
const Seat = defineEntity({
  name: 'Seat',
  properties: { row: p.integer().primary(), place: p.integer().primary(), taken: p.boolean().default(false) },
});

describe('of what MikroORM writes', () => {
  let orm: MikroORM;
  let recorder: Recorder;

  beforeAll(async () => {
    orm = await openOrm({ entities: [Author, Book, Tag, Seat] });
    recorder = recordQueries(orm);
    const em = orm.em.fork();
    await em.insertMany(Author, [
      { id: 1, name: 'a' },
      { id: 2, name: "it's \\ what?" },
    ]);
    await em.insertMany(
      Book,
      [1, 2, 3].map(id => ({
        id,
        title: `what? ${id}`,
        author: (id % 2) + 1,
        meta: { a: id },
        cover: Buffer.from([id]),
      })),
    );
    await em.insertMany(Tag, [{ id: 1, name: 'x' }]);
    await em.insertMany(Seat, [
      { row: 1, place: 1 },
      { row: 1, place: 2 },
    ]);
    expect(recorder.queries.length).toBeGreaterThan(3);
  });

  type Run = readonly [name: string, run: (em: SqlEntityManager) => Promise<unknown>, ...expected: string[][]];

  test.for<Run>([
    ['findOne', em => em.findOne(Author, 1), ['0 author.id = where', '1 -.- - limit']],
    [
      'find with a page',
      em =>
        em.find(
          Book,
          { title: { $like: 'w%' }, price: null, author: { name: "it's \\ what?" } },
          { orderBy: { id: 1 }, limit: 5, offset: 1 },
        ),
      ['0 book.title like where', '1 author.name = where', '2 -.- - limit', '3 -.- - offset'],
    ],
    [
      'populate, select-in',
      em => em.find(Author, { id: [1, 2] }, { populate: ['books'], strategy: 'select-in' }),
      ['0 author.id in where', '1 author.id in where'],
      ['0 book.author_id in where', '1 book.author_id in where'],
    ],
    [
      'a page of what is joined',
      em => em.find(Author, { books: { title: 'what? 1' } }, { populate: ['books'], limit: 1, strategy: 'joined' }),
      ['0 book.title = where', '1 -.- - limit'],
    ],
    [
      'a page by a key',
      em => em.find(Book, { $or: [{ title: { $gt: 'a' } }, { title: 'a', id: { $gt: 1 } }] }),
      ['0 book.title > where', '1 book.title = where', '2 book.id > where'],
    ],
    [
      'composite keys',
      em =>
        em.find(Seat, [
          { row: 1, place: 1 },
          { row: 1, place: 2 },
        ] as never),
      ['0 seat.row = where', '1 seat.place = where', '2 seat.row = where', '3 seat.place = where'],
    ],
    ['a property of JSON', em => em.find(Book, { meta: { a: 1 } } as never), ['0 -.- - where']],
    [
      'many to many',
      em => em.find(Tag, { books: [1, 2] }),
      ['0 book_tags.book_id in where', '1 book_tags.book_id in where'],
    ],
    ['count', em => em.count(Book, { author: 1 }), ['0 book.author_id = where']],
    ['insert', em => em.insert(Tag, { id: 10, name: "it's? \\" }), ['0 tag.id - values', '1 tag.name - values']],
    ['upsert', em => em.upsert(Tag, { id: 1, name: 'y' }), ['0 tag.id - values', '1 tag.name - values']],
    [
      'nativeUpdate',
      em => em.nativeUpdate(Book, { author: 1 }, { title: 'new' }),
      ['0 book.title = set', '1 book.author_id = where'],
    ],
    [
      'a flush of several changes',
      async em => {
        for (const book of await em.find(Book, { id: [1, 2] })) {
          book.title = `flushed? ${book.id}`;
        }
        await em.flush();
      },
      ['0 book.id in where', '1 book.id in where'],
      [
        '0 book.id = other',
        '1 book.title = set',
        '2 book.id = other',
        '3 book.title = set',
        '4 book.id in where',
        '5 book.id in where',
      ],
    ],
    ['nativeDelete', em => em.nativeDelete(Tag, { id: 99, name: 'x' }), ['0 tag.id = where', '1 tag.name = where']],
    [
      'query builder',
      em =>
        em
          .qb(Book, 'b')
          .select('*')
          .where({
            [raw('lower(title)')]: 'x',
            author: { $in: em.qb(Author, 'a').select('id').where({ name: 'a' }).getNativeQuery() },
          })
          .execute(),
      ['0 author.name = where', '1 -.- - where'],
    ],
    [
      'raw SQL',
      em => em.execute('select * from book where id = ? and meta::jsonb \\? ?', [1, 'a']),
      ['0 book.id = where', '1 -.- - where'],
    ],
  ])('%s', async ([, run, ...expected]) => {
    recorder.clear();
    await run(orm.em.fork() as SqlEntityManager);
    const queries = recorder.take().filter(({ sql }) => !/^(?:begin|commit)/.test(sql));
    expect(
      queries.map(({ sql }) => told(sql)),
      queries.map(({ sql }) => sql).join('\n'),
    ).toEqual(expected);
    for (const { sql, params } of queries) {
      expect(placeholders(sql).map(({ index }) => index)).toEqual(params.map((_, index) => index));
      if (sql.includes('\\?')) {
        continue; // It is sent as `?`.
      }
      // With its values in place it is the same shape.
      const sent = orm.em.getPlatform().formatQuery(sql, params);
      expect(scan(sent), sent).toMatchObject({ id: scan(sql).id, tables: scan(sql).tables, kind: scan(sql).kind });
    }
  });
});
