import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type Scan, scan, type StatementKind } from '../../packages/query-timing/src/sql/scan.ts';

/* What one pass over a statement tells: what it is, and which other statements are the same but for their values. */

const text = (sql: string): string => scan(sql).text;
const id = (sql: string): string => scan(sql).id;

describe('values become ?', () => {
  test.for([
    // MikroORM's marks
    ['select * from a where x = ?', 'select * from a where x = ?'],
    ['select ?? from a where ?? = ?', 'select ?? from a where ?? = ?'],
    ['select * from a where x \\? ?', 'select * from a where x \\? ?'],
    [
      "select * from a where x \\?| array['b'] and y \\?& array['c']",
      'select * from a where x \\?| array[?] and y \\?& array[?]',
    ],
    ["select ?||'%', ? || 'a'", 'select ?||?, ? || ?'],
    // PostgreSQL's and others'
    ['select $1, $23::int', 'select ?, ?::int'],
    ['select * from a where x = :name and y = :other_name', 'select * from a where x = ? and y = ?'],
    [
      "select * from a where x ?| array['b'] and y ?& array['c']",
      'select * from a where x ?| array[?] and y ?& array[?]',
    ],
    // strings
    ["select ''", 'select ?'],
    ["select 'a''b'", 'select ?'],
    ["select 'a\\', 'b'", 'select ?, ?'],
    ["select E'a\\'b', e'\\\\', E'it''s'", 'select ?, ?, ?'],
    ["select ' E', x", 'select ?, x'],
    ["select B'01', x'ff', N'a', U&'d\\0061', u&'' from xe", 'select ?, ?, ?, ?, ? from xe'],
    ["select 'a'\n  'b', 'c' -- x\n 'd'", 'select ?, ?'],
    ["select $$it's$$, $a$ $$ $b$ $a$, $é$'$é$", 'select ?, ?, ?'],
    ["select a$b$, 'c'", 'select a$b$, ?'],
    // numbers
    ['select 1, 1.5, .5, 5., 1e5, 1.5e-3, 2E+10, 0x1F, 0o17, 0b01, 1_000', 'select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?'],
    ['select col2, a1.b2, "c3", _4', 'select col2, a1.b2, "c3", _4'],
    ['select 0x1e-5, 1e-x', 'select ?-?, ?-x'],
    ['select a[1], a[1:2], a[x:y], a[:x]', 'select a[?], a[?:?], a[x:y], a[:x]'],
    ['select 550e8400-e29b', 'select ?-e29b'],
    // with a sign
    ['select -1, - 2, (-3), x - 4, x -5, x-6, (x)-7', 'select ?, ?, (?), x - ?, x -?, x-?, (x)-?'],
    [
      'select * from a where x=-1 and y < -2 and z between -3 and - 4',
      'select * from a where x=? and y < ? and z between ? and ?',
    ],
    ['select * from a limit -1 offset +1', 'select * from a limit ? offset +?'],
    ['select 5 -3, ? -1, x @-1', 'select ? -?, ? -?, x @-?'],
    // words
    ['select null, true, FALSE', 'select ?, ?, ?'],
    [
      'select * from a where x is null and y is not true and not false',
      'select * from a where x is null and y is not true and not false',
    ],
    [
      'select * from a join b on true where x is not distinct from null',
      'select * from a join b on true where x is not distinct from ?',
    ],
    ['update a set x = null, y = default, z = true', 'update a set x = ?, y = default, z = ?'],
    ['select a.null, x as true', 'select a.null, x as true'],
    [
      'alter table a add x int default 1 references b on delete set null',
      'alter table a add x int default ? references b on delete set null',
    ],
    // types
    [
      "select x::numeric(10, 2), '1'::text, date '2020-01-01', interval '1 day'",
      'select x::numeric(?, ?), ?::text, date ?, interval ?',
    ],
  ])('%s', ([sql, expected]) => {
    expect(text(sql!)).toBe(expected);
  });
});

describe('lists become one value', () => {
  test.for([
    ['select * from a where x in (?)', 'select * from a where x in (?)'],
    ['select * from a where x in (?, ?)', 'select * from a where x in (?)'],
    ["select * from a where x not in ( 1 ,'b', $3,null, -5 )", 'select * from a where x not in (?)'],
    ['select * from a where x in ($1::uuid, $2::"s"."t"[], 3::numeric(10, 2))', 'select * from a where x in (?)'],
    ['select * from a where (x, y) in ((?, ?), (?, ?))', 'select * from a where (x, y) in ((?))'],
    ['select * from a where (x, y) = (?, ?)', 'select * from a where (x, y) = (?)'],
    ['select * from a where x = any(array[1, 2])', 'select * from a where x = any(?)'],
    ["select * from a where x = any ('{1,2}'::int[])", 'select * from a where x = any (?)'],
    ['select * from a where x <> all(array[?, ?]::int[])', 'select * from a where x <> all(?)'],
    ['select array[1, 2], array[[1, 2], [3, 4]]', 'select array[?], array[[?]]'],
    ['select * from a where x in (?, ? /* two */, ? -- three\n)', 'select * from a where x in (?)'],
    ['insert into a values (1, default), (2, 3)', 'insert into a values (?)'],
    [
      'insert into a (x, y) values (?, lower(?)), (?, ?), (?, upper((?))) returning id',
      'insert into a (x, y) values (?, lower(?)) returning id',
    ],
    [
      'insert into a values (1), (select max(x) from b) on conflict do nothing',
      'insert into a values (?) on conflict do nothing',
    ],
    ['select * from (values (1, 2), (3, 4)) v, b', 'select * from (values (?)) v, b'],
    ['values (1), (2) order by 1', 'values (?) order by ?'],
    ['values (1, (values (2), (3))), (4, 5)', 'values (?, (values (?)))'],
    ['insert into a values (1), (lower(?)', 'insert into a values (?)'],
  ])('%s', ([sql, expected]) => {
    expect(text(sql!)).toBe(expected);
  });

  test.for([
    'select f(?, ?), "F"(?, ?)',
    'select * from a where x in (?, y)',
    'select * from a where x in (?, -?)',
    'select * from a where x in (?, lower(?))',
    'select * from a where x in (select ?)',
    'insert into a (x, y) select ?, ?',
    'select (x, ?), ()',
    'select * from a where x in (?, (?))',
  ])('but not %s', sql => {
    expect(text(sql)).toBe(sql);
  });
});

describe('what is left out', () => {
  test.for([
    ['  select\n\t*   from\r\n a ', 'select * from a'],
    ['/* one */ select /* two /* three */ */ 1 -- four', 'select ?'],
    ['select 1--\n+ 2', 'select ? + ?'],
    ['select a/**/b', 'select a b'],
    ['-- nothing', ''],
    ['', ''],
    [';', ''],
    [' ; ; select 1 ; ;; ', 'select ?'],
    ['select 1;select 2 ;\n ;; select 3;', 'select ?; select ?; select ?'],
    ['savepoint trx1', 'savepoint ?'],
    ['savepoint "trx1"', 'savepoint ?'],
    ['rollback to trx2', 'rollback to ?'],
    ['rollback to savepoint trx2', 'rollback to savepoint ?'],
    ['release savepoint "t""x"', 'release savepoint ?'],
    ['release trx2', 'release ?'],
  ])('%j', ([sql, expected]) => {
    expect(text(sql!)).toBe(expected);
  });

  test('the rest stays as it was written: case, quotes, aliases', () => {
    const sql = 'SELECT "b0".*, Count(*) AS "b0__N" FROM "Book" "b0" Where "b0"."a""b" = ? and été >= ?';
    expect(text(sql)).toBe(sql);
  });
});

describe('one shape', () => {
  test.for([
    [
      'select * from a where x = 1',
      'SELECT * FROM A WHERE X = 2',
      "select  *\nfrom a where x='b'",
      'select * from a /* c */ where x = $1;',
      'select * from a where x = ?',
      'select * from a where x = -1',
      'select * from a where x = null',
      "select * from a where x = E'\\''",
      'select * from a where x=:x -- y',
    ],
    [
      'select * from a where x in (1)',
      'select * from a where x in(?,?,?)',
      "select * from a where x IN ('a'::text, 'b')",
    ],
    ['select count(*) from a', 'select count ( * ) from a'],
    ['select a <-b', 'select a < - b'],
    ["select ?||'a'", "select ? || 'b'", "select $1||'c'"],
    ['savepoint trx1', 'savepoint trx2', 'SAVEPOINT "x"'],
    ['insert into a values (?, ?)', 'insert into a values (?, ?), (?, default), (1, f(2))'],
    [
      'select * from a where x = any(?)',
      "select * from a where x = any('{1,2}')",
      'select * from a where x = any(array[1])',
    ],
  ])('%j', statements => {
    expect(new Set(statements.map(id)).size).toBe(1);
  });
});

test('all others are different shapes', () => {
  const statements = [
    '',
    'select 1',
    'select a',
    'select "a"',
    'select "A"',
    'select a1',
    'select ab',
    'select a b',
    'select a, b',
    'select a.b',
    'select "a.b"',
    'select "a"."b"',
    'select "a""b"',
    'select "a" "b"',
    'select - ?, ?',
    'select ?, - a',
    'select -(?)',
    'select a-b',
    'select a - -b',
    'select a <- b',
    'select a <-@ b',
    'select * from a',
    'select * from a where x = ?',
    'select * from a where x <> ?',
    'select * from a where x < = ?',
    'select * from a where x <= ?',
    'select * from a where x in (?)',
    'select * from a where x not in (?)',
    'select * from a where x = (?)',
    'select * from a where x = any(?)',
    'select * from a where x in ((?))',
    'select * from a where x is null',
    'select * from a where x is not null',
    'select * from a where x is true',
    'select * from a where x = ? and y = ?',
    'select * from a where x = ? or y = ?',
    'select * from a as b where x = ?',
    'select * from a as c where x = ?',
    'select * from a where x = ? limit ?',
    'select * from a where x = ? limit ? offset ?',
    'select * from a where x = ?::int',
    'select * from a where x = ?::text',
    'select * from a where x \\? ?',
    'select * from a where x \\?| ?',
    'select ??',
    'select f(?)',
    'select f(?, ?)',
    'select array[?]',
    'select array[[?]]',
    'select a[?]',
    'select a[?:?]',
    'insert into a values (?)',
    'insert into a (x) values (?)',
    'insert into a values (lower(?))',
    'begin',
    'commit',
    'rollback',
    'savepoint a',
    'rollback to a',
    'rollback to savepoint a',
    'release savepoint a',
    'select 1; select 1',
  ];
  const byId = Map.groupBy(statements, id);
  expect([...byId.values()].filter(same => same.length > 1)).toEqual([]);
});

describe('the id', () => {
  test('is 16 hexadecimal digits, the same at all times', () => {
    expect(id('select * from "book" where "id" = ?')).toMatch(/^[\da-f]{16}$/);
    expect(id('select * from "book" where "id" = ?')).toMatchInlineSnapshot(`"82aaa3667d1baab8"`);
    expect(id('')).toMatchInlineSnapshot(`"e593c313ede1521e"`);
  });

  test('tells 200 000 similar statements apart', () => {
    const ids = new Set<string>();
    for (let n = 0; n < 50_000; n++) {
      ids.add(id(`select * from a where x${n} = ?`));
      ids.add(id(`select * from "a" where "${n}" = ?`));
      ids.add(
        id(
          `select ${String.fromCharCode(97 + (n % 26), 97 + ((n / 26) % 26), 97 + ((n / 676) % 26))}${(n / 17_576) | 0}x`,
        ),
      );
      ids.add(id(`select x from t order by a${n % 250}, b${(n / 250) | 0}`));
    }
    expect(ids.size).toBe(200_000);
  });

  test('is that of the text, too', () => {
    for (const sql of [
      "select * from a where x in (1, 2) and y = E'\\\\x' and z = -5 and w is null",
      'INSERT INTO a VALUES (1), (lower(2)); savepoint b',
      "select u&\"a\", 'b'\n'c', d \\? ?",
    ]) {
      expect(id(text(sql))).toBe(id(sql));
    }
  });
});

describe('long statements', () => {
  const long = (end: string): string => `select ${'"abc", '.repeat(1_000)}"d" from ${end}`;

  test('are cut at 4096 characters', () => {
    const cut = text(long('a'));
    expect(cut).toHaveLength(4096);
    expect(cut.endsWith('…')).toBe(true);
    expect(long('a').startsWith(cut.slice(0, -1))).toBe(true);
  });

  test('of just that length are whole', () => {
    const sql = `select ${'x'.repeat(4096 - 7)}`;
    expect(text(sql)).toBe(sql);
    expect(text(`${sql}y`)).toBe(`${sql.slice(0, 4095)}…`);
    expect(text(`${sql.slice(0, -1)} /* c */ '`)).toBe(`${sql.slice(0, 4095)}…`);
  });

  test('are told apart behind the cut', () => {
    expect(id(long('a'))).not.toBe(id(long('b')));
    expect(scan(long('a join b on true')).tables).toEqual(['a', 'b']);
  });

  test('are not cut within a character', () => {
    expect(text(`select "${'x'.repeat(4086)}😀😀"`).isWellFormed()).toBe(true);
    expect(text(`select "${'x'.repeat(4087)}😀😀"`).isWellFormed()).toBe(true);
  });

  test('are short when their values are gone', () => {
    expect(text(`select '${'x'.repeat(100_000)}' in (${'1, '.repeat(10_000)}2)`)).toBe('select ? in (?)');
  });
});

const kinds: Readonly<Record<StatementKind, readonly string[]>> = {
  select: [
    'select 1',
    'SELECT 1',
    '(select 1) union (select 2)',
    ' /* a */ ((values (1)))',
    'values (1)',
    'table a',
    'with a as (select 1) select * from a',
    'with a as (insert into b values (1) returning *) select * from a',
    '(with a as (select 1) table a)',
    'select 1; delete from a',
  ],
  insert: ['insert into a values (1)', 'with a as (select 1) insert into b select * from a'],
  update: ['update a set x = 1', 'with recursive a (x) as materialized (select 1) update b set y = 1'],
  delete: ['delete from a', 'with a as (select 1), b as (select 2) delete from c'],
  merge: ['merge into a using b on true when matched then delete'],
  call: ['call p(1)'],
  ddl: ['create table a (x int)', 'alter table a add x int', 'drop index i', 'truncate a', 'comment on table a is ?'],
  transaction: [
    'begin',
    'BEGIN isolation level serializable read only',
    'start transaction',
    'commit',
    'end',
    'rollback',
    'abort',
    'savepoint a',
    'release a',
    'rollback to savepoint a',
  ],
  setting: ['set local search_path = a', "set timezone = 'utc'", 'reset all', 'show all'],
  other: [
    '',
    '-- select 1',
    'explain select 1',
    'explain analyze delete from a',
    'vacuum a',
    'copy a from stdin',
    'do $$ begin end $$',
    'listen x',
    'prepare p as select 1',
    '= select 1',
    "'a' select 1",
    '1; select 2',
    '"select" 1',
    'with a as (select 1)',
  ],
};

describe.for(Object.entries(kinds) as [StatementKind, readonly string[]][])('kind: %s', ([kind, statements]) => {
  test.for(statements)('%j', sql => {
    expect(scan(sql).kind).toBe(kind);
  });
});

describe('tables', () => {
  test.for<[sql: string, tables: string, summary: string]>([
    ['select 1', '', 'select'],
    ['select * from author', 'author', 'select author'],
    ['select * from "Author" as "a0"', 'Author', 'select Author'],
    ['SELECT * FROM Shop.Author A', 'author', 'select author'],
    ['select * from "shop"."a.b" x, only c, "d""e"', 'a.b c d"e', 'select "a.b" c "d""e"'],
    ['select * from "song list", artists', 'song list artists', 'select "song list" artists'],
    [
      'select "b0".* from "book" as "b0" left join "author" as "a1" on "b0"."author_id" = "a1"."id", x where y in (1, z)',
      'book author x',
      'select book author x',
    ],
    ['select * from a, a, b, a', 'a b', 'select a a b a'],
    ['select * from (a join b using (id, x)) cross join c natural join d order by e, f', 'a b c d', 'select a b c d'],
    [
      'select * from (select * from a) b, ((select x from c)) d, lateral (select y from e) f',
      'a c e',
      'select select a select c select e',
    ],
    [
      'select * from a where exists (select 1 from b where c = (select max(x) from d)), e',
      'a b d',
      'select a select b select d',
    ],
    ['select * from f(1), s.f(2) g, h, unnest(array[1]) with ordinality as u(x, n), v', 'h v', 'select h v'],
    ['select * from rows from (f(1), g(2)) as r, a', 'a', 'select a'],
    ['select extract(year from x), trim(both from y), substring(z from 1 for 2) from a', 'a', 'select a'],
    ['select a is distinct from b, c is not distinct from d from e', 'e', 'select e'],
    ['select distinct on (x, y) * from a for update of b', 'a', 'select a'],
    ['select x into b from a', 'b a', 'select b a'],
    ['select x into temp table b from a', 'b a', 'select b a'],
    ['select * from a union all select * from b', 'a b', 'select a select b'],
    ['table a', 'a', 'table a'],
    ['values (1, 2)', '', 'values'],
    [
      'with x as (select * from a), "Y" (p, q) as materialized (table b) select * from x, "Y", c',
      'a b c',
      'select a table b select c',
    ],
    ['with recursive x as (select * from a union all select * from x) select * from x', 'a', 'select a select select'],
    ['with x as (delete from a returning *) insert into b select * from x', 'a b', 'delete a insert b select'],
    ['select timestamp with time zone, x as y from a, b', 'a b', 'select a b'],
    [
      'insert into "book" ("title") values (?) on conflict ("id") do update set "title" = excluded."title"',
      'book',
      'insert book',
    ],
    ['insert into a (x) select y from b, c', 'a b c', 'insert a select b c'],
    ['insert into a values ((select x from b)), ((select y from c))', 'a b c', 'insert a select b select c'],
    [
      'update only "book" as b set x = 1, y = 2 from c where b.z in (select w from d)',
      'book c d',
      'update book c select d',
    ],
    ['delete from a using b, c where x = 1', 'a b c', 'delete a b c'],
    ['delete from a using b join c using (id, x)', 'a b c', 'delete a b c'],
    [
      'merge into a using b on a.x = b.y when matched then update set z = 1 when not matched then insert (w) values (1)',
      'a b',
      'merge a b',
    ],
    ['truncate table a, only s.b restart identity', 'a b', 'truncate a b'],
    ['call p(1)', '', 'call p'],
    ['create table if not exists "a" (x int references b (y) on delete cascade)', 'a', 'create table a'],
    ['create unique index concurrently "i" on "book" using btree ("author_id")', 'book', 'create book'],
    ['create view v as select * from a join b on a.x = b.y', 'a b', 'create select a b'],
    ['alter table a add constraint c check (x > 0)', 'a', 'alter table a'],
    ['drop table if exists s.a cascade', 'a', 'drop table a'],
    ['begin', '', 'begin'],
    ['set local a = b', '', 'set'],
    ['explain select * from a', 'a', 'explain select a'],
    ['select * from share, key', 'share key', 'select share key'],
    ['select * from ??', '', 'select'],
    ['select * from a; delete from b', 'a b', 'select a delete b'],
    ['from a', '', ''],
  ])('%s', ([sql, tables, summary]) => {
    const scanned = scan(sql);
    expect(scanned.tables.join(' ')).toBe(tables);
    expect(scanned.summary).toBe(summary);
  });

  test('at most eight', () => {
    const { tables } = scan('select * from a, b, c, d, e, f, g, h, i, j');
    expect(tables).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  });

  test('of a bounded length', () => {
    expect(
      scan(`select * from ${'a'.repeat(100_000)}, "${'b'.repeat(100_000)}"`).tables.map(({ length }) => length),
    ).toEqual([128, 128]);
  });
});

describe('the summary', () => {
  test('has at most 255 characters, and whole words', () => {
    const tables = Array.from({ length: 100 }, (_, n) => `table_${n}`);
    const { summary } = scan(`select * from ${tables.join(', ')}`);
    expect(summary.length).toBeLessThanOrEqual(255);
    expect(summary.length).toBeGreaterThan(240);
    expect(`select ${tables.join(' ')} `.startsWith(`${summary} `)).toBe(true);
  });

  test('goes on with nothing when it is full', () => {
    const { summary } = scan(
      `select * from a, ${Array.from({ length: 2 }, () => `"${'b'.repeat(126)}"`).join(', ')}, c`,
    );
    expect(summary).toBe(`select a ${'b'.repeat(126)}`);
  });
});

describe('a lone read', () => {
  test.for([
    'select 1',
    'select * from a;',
    ' -- one\n select "for", "update", \'; delete from a\' from a',
    '(select 1) union all (select 2)',
    'with x as (select 1) select * from x',
    'values (1)',
    'table a',
    'select updated, into_b, a.inserted from a order by x for_update',
    'select * from a offset 1 fetch first 2 rows only',
    'select share, key from a',
  ])('is %j', sql => {
    expect(scan(sql).loneRead).toBe(true);
  });

  test.for([
    '',
    'select 1; select 2',
    'select 1; -- a\n delete from a',
    'select * from a for update',
    'select * from a FOR /* a */ NO KEY UPDATE of a nowait',
    'select * from a for share skip locked',
    'select * from a for key share',
    'select * into b from a',
    'with x as (insert into a values (1) returning *) select * from x',
    'with x as (update a set y = 1 returning *) table x',
    'with x as (delete from a returning *) select * from x',
    'with x as (merge into a using b on true when matched then delete returning *) select * from x',
    'insert into a values (1)',
    'explain select 1',
    'begin',
    'call p()',
    'show all',
    'create table a as select 1',
    "select 'a",
    'select "a',
    'select 1 /* a',
    'select $a$ b $',
    "select E'a\\'",
  ])('is not %j', sql => {
    expect(scan(sql).loneRead).toBe(false);
  });
});

describe('a comment', () => {
  test.for([
    'select 1 -- a',
    '/* a */ select 1',
    'select (1 /**/, 2)',
    'insert into a values (1), /* b */ (2)',
    'select 1 /* a',
    'select 1;--',
  ])('is in %j', sql => {
    expect(scan(sql).hasComment).toBe(true);
  });

  test.for([
    "select '-- a', '/* b */'",
    'select "--", "/*"',
    'select $$ /* $$',
    'select a - - b / * c',
    "select E'\\'--'",
  ])('is not in %j', sql => {
    expect(scan(sql).hasComment).toBe(false);
  });
});

describe('a list', () => {
  test.for([
    'select * from a where x in (?, ?)',
    'select * from a where x not in (1, 2)',
    'select * from a where (x, y) in ((?, ?), (?, ?))',
    'select * from a where x = any(array[?, ?])',
    "select * from a where x = any('{1,2}')",
    'insert into a values (?), (?)',
    'insert into a values (lower(?)), (lower(?))',
  ])('of several is in %j', sql => {
    expect(scan(sql).hasList).toBe(true);
  });

  test.for([
    'select * from a where x in (?)',
    'select * from a where (x, y) in ((?, ?))',
    'select * from a where (x, y) = (?, ?)',
    'select * from a where x = any(array[?])',
    "select * from a where x = any('{1}')",
    'select * from a where x = any(?)',
    'select * from a where x in (select ?, ?)',
    'insert into a values (?, ?)',
    'select f(?, ?), array[?, ?]',
    'select count(*) from a where x = ?, ?',
  ])('is not in %j', sql => {
    expect(scan(sql).hasList).toBe(false);
  });
});

test('what is kept holds on to nothing of the statement', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const megabyte = 'x'.repeat(2 ** 20);
  // In a function of its own, which has left the stack when memory is looked at.
  const kept = (statements: number): Scan[] =>
    Array.from({ length: statements }, (_, n) =>
      scan(`select * from "a_table_with_a_long_name_${n}" where x = '${n}${megabyte}' and y = ${n}`),
    );
  kept(5);
  await nextTurn();
  collect();
  const before = process.memoryUsage().heapUsed;
  const all = kept(50);
  await nextTurn();
  collect();
  // Of 50 MB; V8 may still hold the last one.
  expect((process.memoryUsage().heapUsed - before) / 2 ** 20).toBeLessThan(3);
  expect(all).toHaveLength(50);
});
