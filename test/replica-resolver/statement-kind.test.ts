import fc from 'fast-check';
import { loadModule } from 'libpg-query';
import { beforeAll, describe, expect, test } from 'vitest';
import { HARMLESS_FUNCTIONS } from '../../packages/replica-resolver/src/harmless-functions.ts';
import {
  type StatementKind,
  statementKind,
  type TextShape,
  textShape,
} from '../../packages/replica-resolver/src/statement-kind.ts';
import { CORPUS, OTHERS } from '../result-cache/sql/corpus.ts';
import { type ParsedTables, parseTables } from '../result-cache/sql/parse-tree.ts';
import { anyStatement } from '../result-cache/sql/random-sql.ts';

beforeAll(async () => {
  await loadModule();
});

const TABLE: Readonly<Record<StatementKind, readonly string[]>> = {
  read: [
    'select 1',
    'SELECT * FROM "a"',
    '  \t\r\n select 1 ; ',
    '/* who: a report */ select 1',
    '-- who: a report\nselect 1',
    '/* one /* within another */ */ select 1',
    '((select 1) union (select 2))',
    '/* x */ ( /* y */ (select 1))',
    'select 1 -- and no more',
    'select 1 -- a report; of one statement',
    'select 1 /* ; */ ;; -- x',
    "select 'insert into a', 'f(1)', 'it''s; delete'",
    `select "insert"."update", "it's", "a""b" from "delete"`,
    'select $$ delete from a; f(1) $$, $q$ $$ insert $$ $q$',
    'select * from a where x = $1 and y = $2',
    "select * from a where x like 'a\\\\' or y like '50\\%'",
    'select count(*), coalesce(sum(x), 0) from a where y in (1, 2) and (z = 3 or exists (select 1 from b))',
    'select count ( * ) filter (where x) over (partition by (y) order by (z)) from a',
    'select * from a left join (select * from b) as c on (a.x = c.x) group by (y)',
    'select pg_catalog.lower(x) from a',
    'select shop.pg_catalog.lower(x) from a',
    'select now(), current_timestamp, random()',
    'with x as (select * from a) select * from x',
    'values (1, 2)',
    'table a',
    'show search_path',
    'explain select * from a',
    'explain analyze select * from a',
    'explain (analyze, buffers) select * from a',
    "select jsonb_agg(x -> 'y') from a",
    'select set_config($1, $2, false)',
    'select 5-3, 4/2, a--b\nfrom a',
    'select updated, deleted_at, insertion, into_a from a',
  ],
  write: [
    '',
    ';',
    '-- nothing',
    'insert into a values (1)',
    '/* select */ insert into a values (1)',
    '-- select\ninsert into a values (1)',
    'update a set x = 1',
    'delete from a',
    'merge into a using b on true when matched then delete',
    'truncate a',
    'with x as (insert into a values (1) returning *) select * from x',
    'with x as (select 1), y as (/* x */DELETE from a returning 1) select * from y',
    'select * into b from a',
    'select 1into b',
    "select nextval('s')",
    "select setval('s', 1)",
    'select f()',
    'select f/* called */ (1)',
    'select f -- called\n (1)',
    'select * from f(1)',
    'select s.lower(x) from a',
    'select s . /* x */ lower (x) from a',
    'select pg_catalog.nextval($1)',
    'select "f"(1)',
    'select "sum"(x) from a',
    'select "not max" (x)',
    'select émax(x)',
    'select filter(x), over(x), by(x), join(x)',
    "select '-- ', f(), ' '",
    "select '/*', f(), '*/'",
    "-- it's\nselect f() -- it's",
    `select "it's", f(), "it's"`,
    `select '"', f(), '"'`,
    "select 'a' /* /* */ ' */, f(), /* ' */ 'b'",
    "select $a$ ' $a$, f(), $a$ ' $a$",
    "select E'\\'', f(), E'\\''",
    "select 'not closed",
    'select "not closed',
    'select $$ not closed',
    'select a$$, f(), $$',
    'select 1; delete from a',
    'select 1; select 2',
    'select 1 /* ; */; -- x\n select 2',
    'explain analyze delete from a',
    'explain (analyze) insert into a values (1)',
    'explain analyze create table a as select 1',
    'explain analyze execute p',
    'explain analyze select f()',
    'call p()',
    'do $$ begin end $$',
    "copy a from '/tmp/a'",
    "copy (select 1) to '/tmp/a'",
    'execute p',
    'create table a ()',
    'alter table a add column x int',
    'drop table a',
    'refresh materialized view a',
    'lock table a',
    'notify a',
    'vacuum',
    "commit prepared 'x'",
    "rollback /* x */ prepared 'x'",
    "prepare transaction 'x'",
    'begin; insert into a values (1)',
    'begin; insert into a values (1); commit',
    'commit; insert into a values (1)',
    'rollback; delete from a',
    "set a = 'b'; delete from a",
  ],
  commit: [
    'commit',
    'COMMIT;',
    ' commit work ; ',
    'commit and chain',
    'end',
    'end transaction',
    '/* who: a report */ commit',
    '-- x\ncommit -- ; y',
  ],
  control: [
    'begin',
    'begin isolation level serializable, read only',
    'start transaction',
    '/* x */ begin;',
    'rollback',
    'rollback to savepoint a',
    'abort',
    'savepoint "a;b"',
    'release a',
    "set local application_name = 'a;b'",
    'reset all',
    'discard all',
    'listen a',
    'unlisten *',
    'deallocate all',
    'prepare p as insert into a values ($1)',
  ],
};

describe.each(Object.entries(TABLE))('%s', (kind, texts) => {
  test.each(texts)('%j', text => {
    expect(statementKind(text)).toBe(kind);
  });
});

const SHAPES: Readonly<Record<TextShape, readonly string[]>> = {
  plain: [
    'insert into a values (1)',
    "insert into a values ('x; y'); -- and no more; really",
    'update a set x = 1 ;;',
    'commit',
    'create table a ()',
    'select f()',
    '-- call p()\ninsert into a values (1)',
  ],
  procedure: ['call p()', '/* a note */ CALL p();', 'do $$ begin commit; end $$'],
  several: [
    'commit; begin',
    'begin; insert into a values (1); commit; select 1 / 0',
    'insert into a values (1); call p()',
    '; call p()',
    "insert into a values ('not closed",
  ],
};

describe.each(Object.entries(SHAPES))('a text that is %s', (shape, texts) => {
  test.each(texts)('%j', text => {
    expect(textShape(text)).toBe(shape);
  });
});

/** What PostgreSQL's parser makes of casts, operators and grammar by calling functions. */
const BY_GRAMMAR = new Set([
  'like_escape',
  'similar_to_escape',
  'pg_collation_for',
  'is_normalized',
  'normalize',
  'xmlexists',
]);

function check(sql: string, parsed: ParsedTables): void {
  if (statementKind(sql) !== 'read') {
    return;
  }
  expect(parsed.statements, sql).toBeLessThanOrEqual(1);
  if (/\bexplain\b/i.test(sql) && !/\banaly[sz]e\b/i.test(sql)) {
    return; // Nothing of it is run.
  }
  expect(parsed.writes, sql).toEqual([]);
  for (const call of parsed.calls) {
    // A database may be named before the schema: it is the one that is asked, or PostgreSQL refuses.
    const name = call.replace(/^(?:(?:[^."]+|"[^"]*")\.)?pg_catalog\.(?=[^.]+$)/, '');
    expect(HARMLESS_FUNCTIONS.has(name) || BY_GRAMMAR.has(name), `${sql}: ${call}`).toBe(true);
  }
}

function parsedOrNothing(sql: string): ParsedTables | undefined {
  try {
    return parseTables(sql);
  } catch {
    return undefined;
  }
}

describe("nothing that writes, or calls what is not known, by PostgreSQL's own parser, is a read", () => {
  test.each([...CORPUS, ...OTHERS])('%s', sql => check(sql, parseTables(sql)));

  test('statements made at random', () => {
    let reads = 0;
    let parses = 0;
    fc.assert(
      fc.property(anyStatement, sql => {
        const parsed = parsedOrNothing(sql);
        if (parsed !== undefined) {
          parses++;
          reads += statementKind(sql) === 'read' ? 1 : 0;
          check(sql, parsed);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(parses).toBeGreaterThan(2_000);
    expect(reads).toBeGreaterThan(100);
  });

  test('pieces of statements, strings, names and comments put together at random', () => {
    const marks = [
      "'",
      "''",
      "E'",
      "U&'",
      '"',
      '$$',
      '$a$',
      '/*',
      '*/',
      '--',
      '\n',
      '\\',
      ';',
      '(',
      ')',
      ',',
      '.',
      '1',
      '$1',
    ];
    const words = [
      ' ',
      ' x ',
      'e',
      'x',
      'f(1)',
      'max(1)',
      'select 1',
      ' union ',
      ' into t ',
      ' as a ',
      'delete from t',
    ];
    const pieces = fc.array(fc.oneof(fc.constantFrom(...marks), fc.constantFrom(...words)), { maxLength: 14 });
    let parses = 0;
    fc.assert(
      fc.property(pieces, list => {
        const sql = `select ${list.join('')}`;
        const parsed = parsedOrNothing(sql);
        if (parsed !== undefined) {
          parses++;
          check(sql, parsed);
        } else {
          statementKind(sql);
        }
      }),
      { numRuns: 20_000 },
    );
    expect(parses).toBeGreaterThan(300);
  });

  test('statements of the corpus, damaged at random', () => {
    const all = [...CORPUS, ...OTHERS].map(sql => sql.split(/(?<=\W)|(?=\W)/));
    const damaged = fc
      .tuple(fc.constantFrom(...all), fc.constantFrom(...all), fc.nat(), fc.nat(), fc.nat(), fc.nat())
      .map(([one, other, at, length, from, count]) => {
        const start = at % (one.length + 1);
        const piece = other.slice(from % other.length, (from % other.length) + (count % 8));
        return [...one.slice(0, start), ...piece, ...one.slice(start + (length % 4))].join('');
      });
    let parses = 0;
    fc.assert(
      fc.property(damaged, sql => {
        const parsed = parsedOrNothing(sql);
        if (parsed !== undefined) {
          parses++;
          check(sql, parsed);
        }
      }),
      { numRuns: 10_000 },
    );
    expect(parses).toBeGreaterThan(500);
  });
});

test('a comment before a statement, or between its words, changes nothing', () => {
  const texts = Object.values(TABLE)
    .flat()
    .filter(text => text !== '' && text !== ';' && parsedOrNothing(text) !== undefined);
  expect(texts.length).toBeGreaterThan(60);
  for (const text of texts) {
    expect(statementKind(`/* a ' " $$ ; /* b */ */ ${text}`), text).toBe(statementKind(text));
    expect(statementKind(`-- it's ; "\n${text}\n-- it's ; "`), text).toBe(statementKind(text));
  }
});

test('a text of a megabyte is looked at once, from its beginning to its end', () => {
  for (const text of [
    `select * from a where x in (${'1, '.repeat(330_000)}1)`,
    `select '${"''".repeat(500_000)}'`,
    `select ${'$'.repeat(999_999)}`,
    `select ${'$1 '.repeat(330_000)}`,
    `${'/*'.repeat(500_000)} select`,
    `${'('.repeat(1_000_000)} select`,
    `select ${'x /**/ '.repeat(140_000)}`,
  ]) {
    const took = [1, 2, 3].map(() => {
      const begun = performance.now();
      statementKind(text);
      return performance.now() - begun;
    });
    // The least: the machine has others to serve.
    expect(Math.min(...took), text.slice(0, 20)).toBeLessThan(500);
  }
});
