import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mayWrite } from '../../../packages/result-cache/src/sql/may-write.ts';
import { analyse } from '../../../packages/result-cache/src/sql/statement.ts';
import { anyStatement } from './random-sql.ts';

describe('mayWrite', () => {
  test.each([
    'select 1',
    ' \n SELECT "a"."b" from "a" where "a"."c" = \'d\' ; ',
    'select "a0".*, "b1"."id" as "b1__id" from "s"."a" as "a0" left join "b" as "b1" on "a0"."id" = "b1"."a_id" where "a0"."id" in (1, -2) and ("a0"."x" is null or "a0"."y" >= 1.5) order by "a0"."id" asc nulls last limit 5 offset 10',
    'select count(*) as "count", lower("a"."b"), coalesce (max(c), 0) from "a" group by (b) order by (c) desc',
    'select * from "a" where exists (select 1 from "b" where "b"."a" = "a"."id") and "x" = ? and "y" in (?, ?)',
    'select row_number() over (partition by "a" order by "b"), count(*) filter (where "c") from "a"',
    "select * from a where x = 'insert into a; -- what?' and \"delete(\" = 'it''s'",
    'select x::numeric(10, 2), cast(y as varchar(3)) from a where z = $1',
    'select * from "a" left join (select * from "b") as "c" on true inner join (select 1) d on true',
  ])('not %s', sql => {
    expect(mayWrite(sql)).toBe(false);
    expect(analyse(sql)).toMatchObject([{ verb: 'select', opaque: false, writes: [] }]);
  });

  test.each([
    '',
    'selection',
    'insert into a values (1)',
    'with x as (select 1) select * from x',
    'select 1; select 2',
    'select 1; delete from a',
    'select * into b from a',
    'select my_function(1)',
    'select s.lower(1)',
    'select s . lower (1)',
    'select "lower"(1)',
    'select "f" (1)',
    'select filter(1), over(2), by(3)',
    "select set_config('a', 'b', true)",
    'select 1 -- a',
    'select /* a */ 1',
    "select e'\\'; delete from a; --'",
    "select u&'a'",
    'select $$a$$',
    'select (1',
    'select 1)',
    "select 'a",
    'select "a',
    'select ??(1)',
    "select 'a?' where b = ?",
    'select * from a for update',
    'select 1into b from a',
    'select é(1)',
    'select join(1), ilike(2)',
    'select a. order by (1)',
    'select a as order by (1)',
    'select cube(1) from a',
    'select "a" as join (1)',
    'select [1]',
    'select {',
    'explain analyze delete from a',
  ])('perhaps %s', sql => {
    expect(mayWrite(sql)).toBe(true);
  });

  test('if not, there is one select that writes nothing', () => {
    let plain = 0;
    const pieces = fc.constantFrom(
      'select',
      'from',
      'a',
      '"b"',
      "'c'",
      '(',
      ')',
      ' ',
      ' ',
      ' ',
      ',',
      '.',
      ';',
      'into',
      'update',
      'count',
      'f',
      '1',
      '?',
      '$1',
      '=',
      '--',
      '/*',
      '*/',
      'e',
      "'",
      '"',
      'order by',
      'group',
      'by',
      'over',
      'filter',
      'as',
      'with',
      '::',
      'where',
      'union',
      'values',
      'join',
      'on',
      'left',
      'first',
      'next',
      'case',
      'end',
      'table',
      'lower',
      'all',
      'not',
      '&',
      '\\',
      '??',
      'now',
      'rows from',
      'lateral',
      'only',
      'fetch',
      'is distinct from',
      'extract',
      'null',
      'limit',
      'window',
      'for',
    );
    const soup = fc.array(pieces, { maxLength: 12 }).map(list => `select ${list.join('')}`);
    fc.assert(
      fc.property(fc.oneof({ arbitrary: soup, weight: 20 }, { arbitrary: anyStatement, weight: 1 }), sql => {
        if (!mayWrite(sql)) {
          plain++;
          expect(analyse(sql), sql).toMatchObject([{ verb: 'select', opaque: false, writes: [] }]);
        }
      }),
      { numRuns: 30_000 },
    );
    expect(plain).toBeGreaterThan(1_000);
  });

  test('takes time in proportion to the length', () => {
    for (const piece of ['"', '""', "''", '(', '()', 'a ', 'a(', 'a', '?', "'?'", ' ', 'by (', '$1', '-', '1', 'in(']) {
      const sql = `select ${piece.repeat(1_000_000 / piece.length)}`;
      const start = performance.now();
      mayWrite(sql);
      expect(performance.now() - start, piece).toBeLessThan(1_000);
    }
  });
});
