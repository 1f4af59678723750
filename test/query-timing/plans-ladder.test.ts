import { beforeAll, describe, expect, test } from 'vitest';
import { explain } from '../../packages/query-timing/src/plans/guarded-explain.ts';
import { genericText } from '../../packages/query-timing/src/plans/generic-text.ts';
import { namesHarmful, namesIn } from '../../packages/query-timing/src/plans/harmful-functions.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { Explainer, Place } from './fixtures/plans.ts';

/* How a plan is got without auto_explain: EXPLAIN, with no value if that is wished, and executed once more if that is wished. */

let place: Place;
beforeAll(async () => {
  place = await Place.library();
  await place.run(
    'create table touched (at timestamptz)',
    `create function touch() returns int language sql volatile as $$ insert into touched values (now()) returning 1 $$`,
    `create function lies() returns int language plpgsql stable as $$ begin insert into touched values (now()); return 1; end $$`,
    'create function fine(n int) returns int language sql immutable as $$ select n + 1 $$',
    'create view hidden as select pg_advisory_lock(4711) is null as locked, id from author',
    'create schema "Odd"',
    'create function "Odd"."do it"() returns int language sql volatile as $$ select 1 $$',
    'create function same(int, int) returns boolean language plpgsql volatile as $$ begin return $1 = $2; end $$',
    // Computed while a statement is planned.
    `create function planned_in(s float) returns int language plpgsql immutable as $$ begin perform pg_sleep(s); return 1; end $$`,
    'create operator ==== (leftarg = int, rightarg = int, procedure = same)',
  );
});

async function touched(): Promise<number> {
  return (await place.rows('select * from touched')).length;
}

/** Texts that were explained. */
function explains({ asked }: Explainer): string[] {
  return asked.filter(text => text.startsWith('explain'));
}

describe('EXPLAIN', () => {
  test('tells the plan of a slow read, and executes nothing', async () => {
    const explainer = new Explainer(place);
    const report = await explainer.explain('select touch(), b0.* from book b0 where b0.author_id = 7');
    expect(report).toMatchObject({
      text: 'select touch(), b0.* from book b0 where b0.author_id = ?',
      source: 'explain',
      planning: undefined,
      execution: undefined,
      root: {
        type: 'Seq Scan',
        relation: 'book',
        alias: 'b0',
        index: undefined,
        actualRows: undefined,
        loops: undefined,
        details: [['Filter', '(b0.author_id = ?)']],
        children: [],
      },
    });
    expect(report!.root.totalCost).toBeGreaterThan(1_000);
    expect(report!.root.planRows).toBeGreaterThan(50);
    expect(JSON.parse(report!.raw)).toMatchObject([
      { Plan: { 'Node Type': 'Seq Scan', Filter: '(b0.author_id = ?)' } },
    ]);
    expect(await touched()).toBe(0);
    expect(explainer.failures).toEqual([]);
  });

  test('is asked in a transaction that may only read, under limits, and is rolled back', async () => {
    const explainer = new Explainer(place);
    await explainer.explain('select * from author');
    expect(explainer.asked.slice(0, 4)).toEqual([
      'begin read only',
      `select pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('lock_timeout', $2, true)`,
      'explain (verbose, settings, format json) select * from author',
      'rollback',
    ]);
  });

  test('may plan for 2 s, however quick the statement itself was', async () => {
    const explainer = new Explainer(place);
    expect(await explainer.explain('select planned_in(0.5)', { ms: 1 })).toBeDefined();
    expect(await explainer.explain('select 1, planned_in(30)', { ms: 1 })).toBeUndefined();
    expect(explainer.failures).toMatchObject([{ what: 'explain', error: { code: '57014' } }]);
  });

  test('takes values where a statement has them', async () => {
    const explainer = new Explainer(place);
    const at = new Date('2020-01-05');
    const report = await explainer.explain(
      'select * from book where id = any ($1) and created_at > $2 and title <> $3',
      {
        values: [[1, 2, 3], at, 'x'],
      },
    );
    expect(report).toMatchObject({ source: 'explain', root: { type: 'Index Scan', index: 'book_pkey' } });
    expect(explainer.failures).toEqual([]);
  });

  test('tells what settings chose the plan', async () => {
    const url = new URL(place.url);
    url.searchParams.set('options', '-c enable_seqscan=off');
    const explainer = new Explainer(place, { open: place.connect(url.href) });
    const report = await explainer.explain('select * from author where id = 1');
    expect(JSON.parse(report!.raw)).toMatchObject([{ Settings: { enable_seqscan: 'off' } }]);
  });

  test('goes where it is told to', async () => {
    const other = await Place.open();
    await other.run('create table elsewhere (id int)');
    const explainer = new Explainer(place, { plans: { clientUrl: other.url } });
    expect(await explainer.explain('select * from elsewhere')).toMatchObject({ root: { relation: 'elsewhere' } });
  });
});

describe('only a lone read is asked about', () => {
  test.each([
    `insert into touched values (now())`,
    `update author set name = 'x'`,
    `delete from author`,
    'select * from author for update',
    'with gone as (delete from author returning *) select * from gone',
    'select * into other from author',
    'select 1; select 2',
    'begin',
    'create table x (id int)',
    'vacuum author',
  ])('not %s', async sql => {
    for (const mode of ['explain', 'analyze'] as const) {
      const explainer = new Explainer(place, { plans: { mode } });
      expect(await explainer.explain(sql)).toBeUndefined();
      expect(explainer.asked).toEqual([]);
    }
  });

  test('and none of them takes the turn of a read', async () => {
    const explainer = new Explainer(place, { plans: { perMinute: 1 } });
    for (const table of ['a', 'b', 'c']) {
      explainer.consider(`delete from ${table}`, { ms: 900 });
    }
    expect(await explainer.explain('select * from author')).toBeDefined();
  });

  test('and no second statement rides along, whatever the scanner thinks', async () => {
    const connection = await place.connect()();
    const question = { sql: 'select 1; drop table author', values: [], generic: false };
    await expect(explain(connection, question)).rejects.toMatchObject({ code: '42601' });
    await connection.end();
    expect(await place.rows('select count(*)::int from author')).toEqual([{ count: 1_000 }]);
  });

  test('nor one that is longer than 64 kB', async () => {
    const explainer = new Explainer(place);
    expect(await explainer.explain(`select * from author where name <> '${'x'.repeat(65_536)}'`)).toBeUndefined();
    expect(explainer.asked).toEqual([]);
  });
});

describe('EXPLAIN (GENERIC_PLAN): no value leaves the process', () => {
  test.each([
    [`select * from book where author_id = 4711 and title = 'hunter2'`, [], '(author_id = $1) and title = $2'],
    ['select * from book where author_id = $1 and title = $2', [4711, 'hunter2'], 'author_id = $1 and title = $2'],
    [`select * from book where author_id in (4711, 4712) limit 4711`, [], 'in ($1) limit $2'],
  ])('%s', async (sql, values, _part) => {
    const explainer = new Explainer(place, { plans: { generic: true } });
    const report = await explainer.explain(sql, { values });
    expect(explainer.failures).toEqual([]);
    expect(report).toMatchObject({ source: 'generic', queryId: undefined });
    expect(JSON.stringify(report!.root)).toContain('book');
    expect(explains(explainer)).toHaveLength(1);
    expect(explains(explainer)[0]).toMatch(
      /^explain \(generic_plan, verbose, settings, format json\) select \* from book/,
    );
    expect(explainer.asked.join()).not.toMatch(/4711|4712|hunter2/);
  });

  test('is taken where values cannot be kept', async () => {
    const explainer = new Explainer(place);
    const report = await explainer.explain('select * from book where author_id = $1', {
      values: [{ toPostgres: () => '7' }],
    });
    expect(report).toMatchObject({ source: 'generic' });
    expect(explainer.failures).toEqual([]);
  });

  test('is taken where a statement of auto_explain has no values', async () => {
    const explainer = new Explainer(place);
    expect(await explainer.explain('select * from book where author_id = $1', { values: [] })).toMatchObject({
      source: 'generic',
    });
  });

  test.each([
    ['select * from "a" where "b" = ? and c in (?)', 'select * from "a" where "b" = $1 and c in ($2)'],
    ['select ?::text, "?", "a ""?"" b"', 'select $1::text, "?", "a ""?"" b"'],
    ['select * from a where "data" ? ? and (x) ?| ?', 'select * from a where "data" ? $1 and (x) ?| $2'],
    ['select * from a where "data" \\? ? and ? = any (?)', 'select * from a where "data" ? $1 and $2 = any ($3)'],
    ['select ? ?| ?, ?', 'select $1 ?| $2, $3'],
    ['select 1', 'select 1'],
    ['select ?; drop table a', undefined],
    ['select * from a where b = …', undefined],
  ])('%s is asked as %s', (shape, asked) => {
    expect(genericText(shape)).toBe(asked);
  });
});

describe('EXPLAIN (ANALYZE): executed once more', () => {
  const analyze = { plans: { mode: 'analyze' } } as const;

  test('tells what was read', async () => {
    const explainer = new Explainer(place, analyze);
    const report = await explainer.explain('select count(*) from book where author_id = 7 and fine(1) = 2');
    expect(report).toMatchObject({ source: 'analyze', root: { type: 'Aggregate', actualRows: 1, loops: 1 } });
    expect(report!.planning).toBeGreaterThan(0);
    expect(report!.execution).toBeGreaterThan(0);
    expect(report!.root.children[0]).toMatchObject({ type: 'Seq Scan', actualRows: 100, removedByFilter: 99_900 });
    expect(report!.root.children[0]!.sharedHit! + report!.root.children[0]!.sharedRead!).toBeGreaterThan(500);
    // First as it would be, so that what it calls is known; then for what it is, without two clock readings a row.
    expect(explains(explainer).map(text => text.split(')')[0])).toEqual([
      'explain (verbose, settings, format json',
      'explain (analyze, timing off, buffers, verbose, settings, format json, serialize text, memory',
    ]);
  });

  test.each([
    ['an advisory lock', 'select pg_advisory_lock(4711)'],
    ['one that is tried', 'select * from author where pg_try_advisory_xact_lock(4711)'],
    ['a setting', `select set_config('work_mem', '1GB', false)`],
    ['a notification', `select pg_notify('a', 'b')`],
    ['a large object', `select lo_create(4711)`],
    ['a connection elsewhere', `select * from author where name = 'dblink_exec'`],
    ['another backend', 'select pg_terminate_backend(0)'],
    ['its query', 'select pg_cancel_backend(0)'],
    ['sleep', 'select pg_sleep(0.01)'],
    ['sleep in another case', 'select PG_Sleep(0.01)'],
    ['a sequence', `select nextval('s')`],
    ['statistics', 'select pg_stat_reset()'],
    ['a file', `select pg_read_file('postgresql.conf')`],
    ['a statement in a text', `select query_to_xml('select 1', true, true, '')`],
    ['a quoted name', 'select "pg_advisory_lock"(4711)'],
    ['a qualified name', 'select pg_catalog . pg_advisory_lock(4711)'],
    ['a name in Unicode escapes', `select U&"pg\\005Fadvisory_lock"(4711)`],
    ['a comment between', 'select pg_advisory_lock/**/(4711)'],
    ['a function of the user that is volatile', 'select touch()'],
    ['one with an odd name', 'select "Odd"."do it"()'],
    ['an operator of the user that is volatile', 'select * from author where id ==== 7'],
    ['what a view hides', 'select * from hidden limit 1'],
  ])('is not for %s', async (_what, sql) => {
    const explainer = new Explainer(place, analyze);
    explainer.consider(sql);
    await explainer.plans.idle();
    expect(explains(explainer).filter(text => text.includes('analyze'))).toEqual([]);
    expect(await place.rows(`select * from pg_locks where locktype = 'advisory'`)).toEqual([]);
    expect(await touched()).toBe(0);
    // Of those that exist there is the plan that was not run.
    for (const report of explainer.plans.reports()) {
      expect(report.source).toBe('explain');
    }
  });

  test('is not even thought of where a name is known to do harm', async () => {
    const explainer = new Explainer(place, analyze);
    expect(await explainer.explain('select pg_sleep(0)')).toMatchObject({ source: 'explain' });
    expect(explainer.asked.some(text => text.includes('pg_proc'))).toBe(false);
  });

  test('is for functions that are volatile and do nothing', async () => {
    const explainer = new Explainer(place, analyze);
    expect(await explainer.explain('select random(), clock_timestamp(), gen_random_uuid() from author')).toMatchObject({
      source: 'analyze',
    });
  });

  test('of what would write in spite of all is refused by the server; the plan that was not run stays', async () => {
    const explainer = new Explainer(place, analyze);
    expect(await explainer.explain('select lies()')).toMatchObject({ source: 'explain' });
    expect(explainer.failures).toMatchObject([{ what: 'explain analyze' }]);
    expect(await touched()).toBe(0);
  });

  test('of what takes too long is ended: twice as long as it took', async () => {
    const explainer = new Explainer(place, analyze);
    const began = performance.now();
    const report = await explainer.explain('select count(*) from generate_series(1, 100000000)', { ms: 40 });
    // To its end it would take half a minute.
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(report).toMatchObject({ source: 'explain' });
    expect(explainer.failures).toMatchObject([{ what: 'explain analyze', error: { code: '57014' } }]);
  });

  test('is not without its values', async () => {
    const explainer = new Explainer(place, analyze);
    const values = [{ toPostgres: () => '7' }];
    expect(await explainer.explain('select * from book where author_id = $1', { values })).toMatchObject({
      source: 'generic',
    });
  });
});

describe('names that a text has', () => {
  test.each([
    'select pg_advisory_lock(1)',
    'select pg_try_advisory_xact_lock_shared(1)',
    'select SET_CONFIG($1, $2, true)',
    'select "pg_notify"(a, b)',
    'select lo_import(a)',
    'select lowrite(a, b)',
    'select * from dblink(a, b) as t (a int)',
    'select pg_terminate_backend(1)',
    'select pg_cancel_backend(1)',
    'select pg_sleep_for(a)',
    'select nextval(a)',
    'select setval(a, 1)',
    'select pg_switch_wal()',
    'select pg_reload_conf()',
    'select pg_stat_reset()',
    'select pg_create_restore_point(a)',
    'select pg_drop_replication_slot(a)',
    'select pg_logical_emit_message(true, a, b)',
    'select pg_ls_dir(a)',
    'select table_to_xml(a, true, true, b)',
    'select ts_stat(a)',
    `select 'pg_sleep' -- in a text, where it may be a part of another`,
    'select 1 /* lo_create */',
    'select U&"a"',
    'select "a""b"()',
    `select ${Array.from({ length: 5_001 }, (_, index) => `c${index}`).join(', ')}`,
  ])('%s: harmful, as far as that can be told', sql => {
    expect(namesHarmful(sql)).toBe(true);
  });

  test.each([
    'select * from book where author_id = 7',
    'select count(*), now(), random() from "book"',
    'select pg_size_pretty(1), pg_typeof(2), lower(a), "local" from b',
    `select 'asleep', 'x pg_ y'`,
  ])('%s: not', sql => {
    expect(namesHarmful(sql)).toBe(false);
  });

  test('are folded as PostgreSQL does, and all that may stand in quotes', () => {
    expect([...namesIn(`select Ab."c D"('"e"') from f$1`)!]).toEqual(
      expect.arrayContaining(['Ab', 'ab', 'c D', 'e', 'f$1']),
    );
    expect(namesIn('select u&"a"')).toBeUndefined();
  });
});

describe('a role without rights', () => {
  test('to a table: told, and no more than that', async () => {
    const url = await place.urlFor('plans_nothing');
    const explainer = new Explainer(place, { plans: { clientUrl: url }, advice: {} });
    expect(await explainer.explain('select * from book where author_id = 7')).toBeUndefined();
    expect(explainer.failures).toMatchObject([{ what: 'explain', error: { code: '42501' } }]);
    // What it may read it explains.
    expect(await explainer.explain('select * from pg_class')).toMatchObject({ source: 'explain' });
    await explainer.plans.inspect();
    expect(explainer.failures).toHaveLength(1);
    await explainer.plans.close();
  });

  test('but to read: all there is to say', async () => {
    const url = await place.urlFor('plans_reader', 'grant pg_read_all_data to plans_reader');
    const explainer = new Explainer(place, { plans: { clientUrl: url, mode: 'analyze' }, advice: {} });
    expect(await explainer.explain('select * from book where author_id = 7')).toMatchObject({ source: 'analyze' });
    expect(explainer.findings.map(({ kind }) => kind)).toEqual(['plan', 'missing-index']);
    expect(explainer.failures).toEqual([]);
    await explainer.plans.close();
  });
});

test('a scanner that errs on what a lone read is does no harm: the server refuses', async () => {
  const explainer = new Explainer(place, { plans: { mode: 'analyze' } });
  for (const sql of ['delete from author', `insert into touched values (now())`, 'select * from author for update']) {
    explainer.plans.consider({ shape: { ...scan(sql), loneRead: true }, sql, values: [], took: 100_000, slow: true });
  }
  await explainer.plans.idle();
  expect(await touched()).toBe(0);
  expect(await place.rows('select count(*)::int from author')).toEqual([{ count: 1_000 }]);
  expect(explainer.plans.reports().every(({ source }) => source === 'explain')).toBe(true);
});
