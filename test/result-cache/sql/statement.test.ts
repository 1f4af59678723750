import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Analyser, analyse, type Statement, type TableUse } from '../../../packages/result-cache/src/sql/statement.ts';
import { CORPUS, OTHERS } from './corpus.ts';
import { anyStatement } from './random-sql.ts';

const one = (sql: string): Statement => {
  const statements = analyse(sql);
  expect(statements).toHaveLength(1);
  return statements[0]!;
};
/** `a[x=1|$0]` for a use, with its equalities. */
const shown = ({ schema, name, equals }: TableUse): string =>
  `${schema === undefined ? '' : `${schema}.`}${name}${equals
    .map(
      ({ column, values }) =>
        `[${column}=${values.map(value => ('parameter' in value ? `$${value.parameter}` : value.type === 'string' ? `'${value.literal}'` : value.literal)).join('|')}]`,
    )
    .join('')}`;

describe('analyse', () => {
  test('a select, in full', () => {
    expect(analyse('select * from s.a as t where t.x = 1 and "Y" = ? limit 1')).toEqual([
      {
        verb: 'select',
        reads: [
          {
            schema: 's',
            name: 'a',
            equals: [
              { column: 'x', values: [{ literal: '1', type: 'number' }] },
              { column: 'Y', values: [{ parameter: 0 }] },
            ],
          },
        ],
        writes: [],
        opaque: false,
      },
    ]);
  });

  test('an update, in full', () => {
    const sql = `update "a" as "t" set "x" = ?, "y" = "y" + 1, z = 'b' where "t"."id" in (1, $4) ; `;
    const equals = [{ column: 'id', values: [{ literal: '1', type: 'number' }, { parameter: 3 }] }];
    expect(analyse(sql)).toEqual([
      {
        verb: 'update',
        reads: [{ name: 'a', equals }],
        writes: [
          {
            name: 'a',
            how: 'update',
            equals,
            sets: [
              { column: 'x', value: { parameter: 0 } },
              { column: 'y', value: undefined },
              { column: 'z', value: { literal: 'b', type: 'string' } },
            ],
            returning: { present: false, end: sql.indexOf(' ;') },
            qualifier: '"t"',
          },
        ],
        opaque: false,
      },
    ]);
  });

  test('an upsert, in full', () => {
    const sql =
      'insert into s."A" (x, "y", z) values (1, ?, now()), (true, null, 3) on conflict (x, y) do update set y = excluded.y, z = 4 returning x';
    expect(analyse(sql)).toEqual([
      {
        verb: 'insert',
        reads: [],
        writes: [
          {
            schema: 's',
            name: 'A',
            how: 'insert',
            equals: [
              {
                column: 'x',
                values: [
                  { literal: '1', type: 'number' },
                  { literal: 'true', type: 'boolean' },
                ],
              },
              { column: 'y', values: [{ parameter: 0 }, { literal: 'null', type: 'null' }] },
            ],
            sets: [
              { column: 'y', value: undefined },
              { column: 'z', value: { literal: '4', type: 'number' } },
            ],
            upsert: { columns: ['x', 'y'] },
            returning: { present: true, end: sql.length },
            qualifier: '"A"',
          },
        ],
        opaque: false,
      },
    ]);
  });

  test.each([
    ['select * from a where x = 1 and (y = 2 and (z = 3))', 'a[x=1][y=2][z=3]'],
    ['select * from a where x = 1 or y = 2', 'a'],
    ['select * from a where x = 1 and y = 2 or z = 3', 'a'],
    ['select * from a where z = 3 or x = 1 and y = 2', 'a'],
    ['select * from a where x = 1 and (y = 2 or z = 3)', 'a[x=1]'],
    ['select * from a where not x = 1 and not (y = 2)', 'a'],
    ['select * from a where (x = 1) is not true and (y = 2) = z', 'a'],
    ['select * from a where x = null', 'a'],
    ['select * from a where x in (1, null) and y in (null)', 'a[x=1]'],
    ['select * from a where x between 1 and y = 3', 'a'],
    ['select * from a where x between 1 and 2 and y = 3', 'a[y=3]'],
    ['select * from a where case when x = 1 and y = 2 then true end and z = 3', 'a[z=3]'],
    ['select * from a where x = 1 + 1 and y = 2 || z and w = - 5', 'a[w=-5]'],
    ["select * from a where x = 'it''s' and y = E'\\\\' and z = E'\\n'", "a[x='it's'][y='\\']"],
    ["select * from a where x = '5'::int and y = '5'::date and z = 5.7::int and w = ?::uuid", "a[x='5']"],
    ["select * from a where x = 'A'::citext and y = 'b'::varchar(3) and z = 1::character varying", 'a[z=1]'],
    ['select * from a where x = 1.50 and y = 1e3 and z = 0x1F and w = 007 and v = 1_000', 'a[x=1.50]'],
    ["select * from a where x = 'a?b' and y = 1", 'a[y=1]'],
    ['select * from a where (x, y) in ((1, ?), (2, ?)) and (z, w) = (3, null)', 'a[x=1|2][y=$0|$1]'],
    ['select * from a where (x, y) in ((1, 2), (3, z))', 'a'],
    ['select * from a where x not in (1) and y <> 2 and z = any (?) and v in (select 1)', 'a'],
    ['select * from a where lower(x) = 1 and coalesce(y = 2, true)', 'a'],
    ["select * from a where current_user = 'b' and x[1] = 2", 'a'],
    ['select * from a t where a.x = 1 and t.y = 2 and z = 3', 'a[y=2][z=3]'],
    ['select * from a, b where a.x = 1 and b.y = 2 and z = 3', 'a[x=1] b[y=2]'],
    ['select * from a t, b t where t.x = 1', 'a b'],
    ['select * from s.a, t.a where s.a.x = 1 and t.a.x = 2', 's.a t.a'],
    ['select * from s.a where s.a.x = 1 and a.y = 2 and t.a.z = 3', 's.a[x=1][y=2]'],
    ['select * from a as t (x, y) where t.x = 1', 'a'],
    ['select * from (a join b on a.x = 1) as j where a.x = 1 and j.y = 2', 'a b'],
    ['select * from a left join b on b.x = 1 where b.y = 2', 'a b[y=2]'],
    ['select * from a where exists (select 1 from b where b.x = 1 and y = 2 and a.z = 3)', 'a b[x=1]'],
    ['select * from (select * from a where x = 1) t where t.y = 2', 'a[x=1]'],
    ['select * from a where x = 1 union select * from a where x = 2', 'a[x=1] a[x=2]'],
    ['with a as (select * from b where x = 1) select * from a where a.y = 2', 'b[x=1]'],
    ['select * from a where x = ? and data \\? ? and y = ?', 'a[x=$0][y=$2]'],
    ["select * from a where data ? 'x' and y = 1", 'a[y=1]'],
    ['select x = 1 from a group by x having x = 1', 'a'],
    ['select * from a having x = 1', 'a'],
  ])('%s', (sql, reads) => {
    expect(one(sql).reads.map(shown).join(' ')).toBe(reads);
  });

  test.each([
    ['select * from a for update', 'for update', false],
    ['select * from a for no key update skip locked', 'for no key update', false],
    ['select now()', 'calls now()', false],
    ['select pg_catalog.now()', 'calls now()', false],
    ['select current_date', 'current_date', false],
    ['select current_timestamp(3)', 'current_timestamp', false],
    ['select * from current_user', 'current_user', false],
    ['select my_function(1)', 'calls my_function()', true],
    ['select public.lower(1)', 'calls public.lower()', true],
    ['select "Lower"(1)', 'calls Lower()', true],
    ['select ??(1)', 'calls a function that cannot be told', true],
    ['select * from my_function() f', 'calls my_function()', true],
    ['select * from a tablesample system (1)', 'tablesample', false],
    ['select cube(1) from a', 'calls cube()', true],
    ['select x from a group by cube (x), rollup (y), (z)', undefined, false],
    ['select x from a group by (select cube(1))', 'calls cube()', true],
    ['select join(1)', 'cannot be read: join in an expression', true],
    ["select x not ilike ('a') and (y) like ('b') from a", undefined, false],
    ['select not ilike(x, y) from a', 'calls ilike()', true],
    ['select first(x) from a', 'calls first()', true],
    ['select nextval(?)', 'calls nextval()', false],
    ["select query_to_xml('delete from a returning 1', true, true, '')", 'calls query_to_xml()', true],
    ["select x > 'now' from a", 'a literal that names a time', false],
    ["select '{today}'::date[] from a", 'a literal that names a time', false],
    ["select 'nowhere' from a", undefined, false],
    ['select age(x) from a', 'calls age()', false],
    ['select age(x, y) from a', undefined, false],
    ['select xmax from a', 'reads xmax', false],
    ['select a."ctid" from a', 'reads ctid', false],
    ['select * from pg_class', 'reads pg_class, of the system', false],
    ['select * from information_schema.tables', 'reads tables, of the system', false],
    ['select * from ??', 'reads from a table that cannot be told', false],
    ['with x as (delete from a returning *) select * from x', 'it writes', false],
    ['select 1 from a from b', 'cannot be read: from in another place', false],
    [`select ${'('.repeat(500)}1${')'.repeat(500)} from a`, 'cannot be read: it is nested too deeply', false],
    [
      `select ${'('.repeat(500)}my_function(1)${')'.repeat(500)} from a`,
      'cannot be read: it is nested too deeply',
      true,
    ],
    ['select count(*), sum(x), x::numeric(10, 2), y::my_type(3) from a', undefined, false],
    ['select * from generate_series(1, 2) g, unnest(array[1]) u', undefined, false],
  ])('%s: %s', (sql, uncacheable, opaque) => {
    const found = one(sql);
    expect(found.verb).toBe('select');
    expect(found.uncacheable).toBe(uncacheable);
    expect(found.opaque).toBe(opaque);
  });

  test('functions that are vouched for', () => {
    const pure = new Set(['my_function', 's.other']);
    expect(analyse('select my_function(1), s.other(2)', { pure })).toEqual([
      { verb: 'select', reads: [], writes: [], opaque: false },
    ]);
    expect(analyse('select s.my_function(1)', { pure })[0]!.opaque).toBe(true);
    expect(analyse('select other(1)', { pure })[0]!.opaque).toBe(true);
  });

  test.each([
    ['begin', { verb: 'begin' }],
    ['BEGIN TRANSACTION ISOLATION LEVEL Repeatable Read, READ ONLY', { verb: 'begin', detail: 'repeatable read' }],
    ['start transaction isolation level serializable', { verb: 'begin', detail: 'serializable' }],
    ['commit', { verb: 'commit' }],
    ['end work and no chain', { verb: 'commit' }],
    ['commit and chain', { verb: 'commit', detail: 'chain' }],
    ['rollback', { verb: 'rollback' }],
    ['abort and chain', { verb: 'rollback', detail: 'chain' }],
    ['savepoint "Trx1"', { verb: 'savepoint', detail: 'Trx1' }],
    ['rollback to trx1', { verb: 'rollback to', detail: 'trx1' }],
    ['rollback work to savepoint trx1', { verb: 'rollback to', detail: 'trx1' }],
    ['release trx1', { verb: 'release', detail: 'trx1' }],
    ['release savepoint trx1', { verb: 'release', detail: 'trx1' }],
    ["prepare transaction 'x'", { verb: 'prepare transaction' }],
    ["commit prepared 'x'", { verb: 'commit prepared', opaque: true }],
    ["rollback prepared 'x'", { verb: 'harmless' }],
    ['set search_path to a, b', { verb: 'set', detail: 'search_path' }],
    ["set schema 'a'", { verb: 'set', detail: 'search_path' }],
    ['set local role "my.role"', { verb: 'set', detail: 'role', local: true }],
    ['set session app.tenant = 1', { verb: 'set', detail: 'app.tenant' }],
    ['set local "App"."tenant" = 1', { verb: 'set', detail: 'app.tenant', local: true }],
    ["set time zone 'utc'", { verb: 'set', detail: 'timezone' }],
    ['set session authorization x', { verb: 'set', detail: 'session authorization' }],
    ['set transaction isolation level serializable', { verb: 'set', detail: 'transaction', local: true }],
    ['set session characteristics as transaction read only', { verb: 'set', detail: 'session characteristics' }],
    ['set constraints all deferred', { verb: 'harmless' }],
    ['reset role', { verb: 'set', detail: 'role' }],
    ['reset all', { verb: 'set', detail: 'all' }],
    ['discard all', { verb: 'set', detail: 'all' }],
    ['discard plans', { verb: 'harmless' }],
    ["select set_config('role', 'x', true)", { verb: 'select', uncacheable: 'calls set_config()', settings: true }],
    ['create table a (x int)', { verb: 'ddl', opaque: true }],
    ['do $$ begin end $$', { verb: 'unknown', opaque: true }],
    ['call p()', { verb: 'unknown', opaque: true }],
    ['execute p', { verb: 'unknown', opaque: true }],
    ["load 'x'", { verb: 'unknown', opaque: true }],
    ['?', { verb: 'unknown', opaque: true }],
    ["select 'a?' from a where b = ?", { verb: 'unknown', opaque: true }],
    ["select 'a", { verb: 'unknown', opaque: true }],
    ['select (1', { verb: 'unknown', opaque: true }],
    ['select 1)', { verb: 'unknown', opaque: true }],
    ['explain delete from a', { verb: 'harmless' }],
    ['explain (costs off, format json) delete from a', { verb: 'harmless' }],
    ['lock table a', { verb: 'harmless' }],
    ['listen a', { verb: 'harmless' }],
    ['vacuum a', { verb: 'harmless' }],
    ['show all', { verb: 'harmless' }],
  ])('%s', (sql, expected) => {
    expect(one(sql)).toEqual({ reads: [], writes: [], opaque: false, ...expected });
  });

  test('several statements', () => {
    expect(analyse('begin; ;update a set x = 1; commit;').map(({ verb }) => verb)).toEqual([
      'begin',
      'update',
      'commit',
    ]);
    expect(analyse(' ; -- nothing\n')).toEqual([]);
    expect(analyse("select 1; do 'x'; select 2").map(({ verb }) => verb)).toEqual(['select', 'unknown', 'select']);
  });

  test('a body of SQL ends nobody knows where', () => {
    const sql = 'create function f() returns int begin atomic; insert into a values (1); end; commit';
    expect(analyse(sql).map(({ verb, opaque }) => [verb, opaque])).toEqual([
      ['ddl', true],
      ['unknown', true],
    ]);
  });

  test('select into makes a table', () => {
    expect(one('select * into b from a')).toMatchObject({ verb: 'ddl', opaque: true, reads: [{ name: 'a' }] });
  });

  test('a prepared statement', () => {
    expect(one('prepare p (int) as select * from a where x = $1')).toMatchObject({
      verb: 'select',
      uncacheable: 'prepare',
      opaque: false,
    });
    expect(one('prepare p as delete from a')).toMatchObject({ verb: 'delete', opaque: true, writes: [{ name: 'a' }] });
  });

  test('explain analyze runs it', () => {
    for (const sql of ['explain analyze verbose delete from a', 'explain (costs off, analyze) delete from a']) {
      const { verb, writes } = one(sql);
      expect(verb).toBe('delete');
      expect(writes).toEqual([{ name: 'a', how: 'delete', equals: [], sets: [], qualifier: 'a' }]);
    }
    expect(one('explain analyze select * from a')).toMatchObject({ verb: 'select', uncacheable: 'explain' });
  });

  test('copy and declare', () => {
    expect(one('copy s.a (x) from stdin')).toMatchObject({
      verb: 'insert',
      opaque: true,
      writes: [{ schema: 's', name: 'a' }],
    });
    expect(one('copy a to stdout')).toMatchObject({
      verb: 'harmless',
      opaque: false,
      reads: [{ name: 'a' }],
      writes: [],
    });
    expect(one('copy (delete from a returning *) to stdout')).toMatchObject({
      verb: 'delete',
      writes: [{ name: 'a' }],
    });
    expect(one('declare c cursor for select * from a')).toMatchObject({
      verb: 'harmless',
      opaque: false,
      reads: [{ name: 'a' }],
    });
    expect(one('declare c cursor for select my_function(1)')).toMatchObject({ verb: 'harmless', opaque: true });
  });

  test('truncate and merge', () => {
    expect(one('truncate table only s.a, b restart identity cascade').writes).toEqual([
      { schema: 's', name: 'a', how: 'truncate', equals: [], sets: [], cascade: true },
      { name: 'b', how: 'truncate', equals: [], sets: [], cascade: true },
    ]);
    const { verb, reads, writes } = one(
      'merge into a t using b on t.id = b.id when matched then update set x = 1 when not matched then insert (id) values (b.id)',
    );
    expect(verb).toBe('merge');
    expect(reads.map(shown)).toEqual(['a', 'b']);
    expect(writes.map(({ how, equals, returning }) => [how, equals, returning])).toEqual([
      ['insert', [], undefined],
      ['update', [], undefined],
      ['delete', [], undefined],
    ]);
    expect(writes[1]!.sets).toEqual([{ column: 'x', value: undefined }]);
  });

  test('where RETURNING can be appended', () => {
    const at = (sql: string): string => {
      const { returning } = one(sql).writes[0]!;
      return returning === undefined ? 'nowhere' : `${sql.slice(0, returning.end)}^${returning.present}`;
    };
    expect(at('delete from a where x = 1 -- why;\n ;')).toBe('delete from a where x = 1^false');
    expect(at('insert into a select * from b')).toBe('insert into a select * from b^false');
    expect(at('with x as (select 1) update a set y = 1 returning *')).toBe(
      'with x as (select 1) update a set y = 1 returning *^true',
    );
    expect(at('with x as (delete from a) select 1')).toBe('nowhere');
    // Of the second of two statements it is the place in the whole text.
    expect(analyse('begin; delete from a;')[1]!.writes[0]!.returning).toEqual({ present: false, end: 20 });
  });

  test('never throws, and takes time in proportion to the length', () => {
    const all = [...CORPUS, ...OTHERS];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 60 }),
          anyStatement,
          fc
            .array(fc.constantFrom(...all.flatMap(sql => sql.split(' '))), { maxLength: 20 })
            .map(words => words.join(' ')),
          fc.tuple(fc.constantFrom(...all), fc.nat(200)).map(([sql, end]) => sql.slice(0, end)),
        ),
        sql => {
          for (const { verb, opaque } of analyse(sql)) {
            expect(opaque || verb !== 'unknown').toBe(true);
          }
        },
      ),
      { numRuns: 20_000 },
    );
    fc.assert(
      fc.property(anyStatement, sql => void analyse(sql)),
      { numRuns: 500 },
    );
    const long: readonly (readonly [string, string, string])[] = [
      ['select ', '(', ''],
      ['select ', '(', ')'],
      ['select ', '[', ']'],
      ['select ', '(select ', ' 1)'],
      ['', '(select 1) union ', 'select 1'],
      ['select * from a where ', '(x = 1 and ', ')'],
      ['select * from a where x = 1 and ', 'x = 1 and ', ''],
      ['select * from a where x in (', '1, ', ''],
      ['select * from ', '(', ' a join b on true)'],
      ['select * from a', ', a', ''],
      ['select * from a', ' join a on true', ''],
      ['select a', '.a', ''],
      ['select f', '.f', '(1)'],
      ['with a as (select 1)', ', a as (select * from b)', ''],
      ['with recursive a as (select 1)', ', a as (select * from b)', ''],
      ['insert into a (x) values (1)', ', (1)', ''],
      ['update a set x = 1', ', x = 1', ''],
      ['select case ', 'when ', ''],
      ['', 'select 1;', ''],
      ['', 'explain analyze ', ''],
      ['', 'prepare a as ', ''],
      ['', 'prepare a as select 1;', ''],
      ['', 'insert into a values (1);', ''],
      ['select ', 'from ', ''],
      ['select ', 'distinct from ', ''],
      ['merge into a using b on true ', 'when matched then update set x = 1 ', ''],
    ];
    for (const [head, piece, tail] of long) {
      const times = Math.ceil(300_000 / (piece.length + tail.length));
      const start = performance.now();
      analyse(`${head}${piece.repeat(times)}${tail.repeat(times)}`);
      analyse(`${head}${piece.repeat(times)}`);
      expect(performance.now() - start, piece).toBeLessThan(3_000);
    }
  });
});

describe('Analyser', () => {
  test('remembers texts, the latest of them', () => {
    const analyser = new Analyser({ pure: new Set(['f']) }, 2);
    const first = analyser.analyse('select f(1)');
    expect(first[0]!.opaque).toBe(false);
    analyser.analyse('select 2');
    expect(analyser.analyse('select f(1)')).toBe(first);
    const second = analyser.analyse('select 3');
    expect(analyser.analyse('select f(1)')).toBe(first);
    expect(analyser.analyse('select 3')).toBe(second);
    analyser.analyse('select 4');
    expect(analyser.analyse('select f(1)')).not.toBe(first);
  });
});
