import { beforeAll, describe, expect, test } from 'vitest';
import { maskPlan } from '../../packages/query-timing/src/plans/masked-plan.ts';
import { type PlanJson, readPlan } from '../../packages/query-timing/src/plans/plan-json.ts';
import { remarksOn } from '../../packages/query-timing/src/plans/plan-rules.ts';
import { readTableFacts } from '../../packages/query-timing/src/plans/table-facts.ts';
import { Place } from './fixtures/plans.ts';

/* Each rule, shown by a plan that PostgreSQL made; and plans that have nothing wrong with them. */

let place: Place;
beforeAll(async () => {
  place = await Place.library();
  await place.run(
    'create index book_pages on book (pages)',
    'create table shop (id int, name text)',
    `insert into shop select n, 'shop ' || n from generate_series(1, 300) n`,
    'create table stale (id int primary key, kind int not null) with (autovacuum_enabled = off)',
    'insert into stale select n, 0 from generate_series(1, 10000) n',
    'create index stale_kind on stale (kind)',
    'analyze stale, shop',
    'update stale set kind = 1 where id % 2 = 0',
  );
});

/** Settings of this statement alone. */
type Settings = Readonly<Record<string, string>>;

async function planOf(
  sql: string,
  settings: Settings = {},
  options = 'analyze, timing off, buffers, verbose',
): Promise<PlanJson> {
  await place.run('begin', ...Object.entries(settings).map(([name, value]) => `set local ${name} = '${value}'`));
  try {
    return maskPlan(readPlan(await place.explain(sql, options))!);
  } finally {
    await place.run('rollback');
  }
}

async function remarks(
  plan: PlanJson,
  offset?: number,
): Promise<{ rule: string; relation: string | undefined; text: string; fix: string | undefined }[]> {
  const findTable = await readTableFacts({ query: (text, values) => place.rows(text, values) as never }, [
    { schema: 'public', name: 'book' },
    { schema: 'public', name: 'author' },
  ]);
  return remarksOn({ plan, findTable, offset }).map(({ rule, relation, text, fix }) => ({ rule, relation, text, fix }));
}

async function only(
  rule: string,
  plan: PlanJson,
  offset?: number,
): Promise<{ text: string; fix: string | undefined; relation: string | undefined }> {
  const found = (await remarks(plan, offset)).filter(each => each.rule === rule);
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe('seq-scan-filter: a table is read from end to end for a few rows', () => {
  const sql = 'select * from book where author_id = 7 and deleted_at is null';

  test('of a plan that was run: rows that were thrown away', async () => {
    expect(await only('seq-scan-filter', await planOf(sql))).toEqual({
      rule: 'seq-scan-filter',
      relation: 'book',
      text: 'Seq Scan on book reads 100,000 rows and keeps 100 by deleted_at, author_id: no index finds them.',
      fix: undefined,
    });
  });

  test('of a plan that was not run: rows that the table has', async () => {
    const { text } = await only('seq-scan-filter', await planOf(sql, {}, 'verbose'));
    expect(text).toMatch(/^Seq Scan on book reads about 100,000 rows and keeps \d\d by deleted_at, author_id/);
  });

  test('of workers: all of their rows', async () => {
    const plan = await planOf(sql, {
      parallel_setup_cost: '0',
      parallel_tuple_cost: '0',
      min_parallel_table_scan_size: '0',
    });
    const { text } = await only('seq-scan-filter', plan);
    expect(text).toMatch(/^Parallel Seq Scan on book reads (?:99|100),\d{3} rows/);
  });

  test('nothing of a scan that keeps a tenth, or of a small table', async () => {
    expect(
      await remarks(
        await planOf('select * from book where pages < 60', { enable_bitmapscan: 'off', enable_indexscan: 'off' }),
      ),
    ).toEqual([]);
    expect(await remarks(await planOf(`select * from author where name = 'author 7'`))).toEqual([]);
    expect(await remarks(await planOf(`select * from author where name = 'author 7'`, {}, 'verbose'))).toEqual([]);
  });
});

describe('nested-seq-scan: a table is read for each row of another', () => {
  const sql = 'select count(*) from author a join shop s on s.id = a.id';
  const loops = {
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
    enable_indexscan: 'off',
    enable_bitmapscan: 'off',
    enable_indexonlyscan: 'off',
  };

  test('with what is kept in memory meanwhile', async () => {
    const plan = await planOf('select count(*) from shop s join author a on a.id = s.id where s.id > 0', {
      ...loops,
      enable_material: 'off',
    });
    // 300 times only.
    expect((await remarks(plan)).map(({ rule }) => rule)).not.toContain('nested-seq-scan');
    const { text, relation } = await only(
      'nested-seq-scan',
      await planOf(`${sql} and s.name > ''`, { ...loops, join_collapse_limit: '1' }),
    );
    expect(relation).toBe('shop');
    expect(text).toMatch(
      /^Nested Loop goes through Seq Scan on shop 1,000 times and throws [\d,]+ pairs away: no index joins it by a?.?id\.$/,
    );
  });

  test('of a plan that was not run', async () => {
    const { text } = await only(
      'nested-seq-scan',
      await planOf(sql, { ...loops, join_collapse_limit: '1' }, 'verbose'),
    );
    expect(text).toMatch(/^Nested Loop goes through Seq Scan on shop about 1,000 times: no index joins it/);
  });
});

test('index-scan-filter: an index finds too much', async () => {
  const sql = `select * from book where pages < 50 and title = 'title 12'`;
  const bitmap = await only('index-scan-filter', await planOf(sql, { enable_seqscan: 'off', enable_indexscan: 'off' }));
  expect(bitmap).toMatchObject({
    relation: 'book',
    text: 'Bitmap Heap Scan on book finds 10,000 rows and keeps 1 by title: the index has to have that, too.',
  });
  const index = await only('index-scan-filter', await planOf(sql, { enable_seqscan: 'off', enable_bitmapscan: 'off' }));
  expect(index.text).toBe(
    'Index Scan on book using book_pages finds 10,000 rows and keeps 1 by title: the index has to have that, too.',
  );
  expect(await remarks(await planOf('select * from book where pages = 3 and author_id < 900'))).toEqual([]);
});

describe('sorted-limit: all is sorted for the first few', () => {
  test('of a plan that was run, and of one that was not', async () => {
    const sql = 'select * from book order by created_at desc limit 10';
    expect((await only('sorted-limit', await planOf(sql))).text).toBe(
      'Limit takes 10 of 100,000 rows that are read and sorted by book.created_at DESC: an index in that order would give them at once.',
    );
    expect((await only('sorted-limit', await planOf(sql, {}, 'verbose'))).text).toMatch(
      /^Limit takes 10 of about 100,000 rows/,
    );
  });

  test('nothing of an order that an index has, and of a limit that takes much', async () => {
    expect(await remarks(await planOf('select * from book order by id desc limit 10'))).toEqual([]);
    expect(await remarks(await planOf('select * from book order by created_at limit 20000'))).toEqual([]);
  });
});

describe('deep-offset: rows are made and thrown away', () => {
  const sql = 'select * from book order by id limit 10 offset 20000';

  test('of a plan that was run', async () => {
    expect(await only('deep-offset', await planOf(sql))).toMatchObject({
      text: 'Limit throws 20,000 rows away for OFFSET, more with each page: a cursor starts where the last page ended.',
      fix: 'em.findByCursor(…, { first: 20, after: cursor, orderBy: … })',
    });
  });

  test('of a plan that was not run: what the statement says', async () => {
    const plan = await planOf(sql, {}, 'verbose');
    expect((await only('deep-offset', plan, 20_000)).text).toMatch(/^Limit throws 20,000 rows away/);
    expect(await remarks(plan, 9_999)).toEqual([]);
    expect(await remarks(plan)).toEqual([]);
  });
});

describe('spilled: no room in work_mem', () => {
  test('a sort', async () => {
    const { text, fix } = await only(
      'spilled',
      await planOf('select * from book order by title', { work_mem: '64kB', max_parallel_workers_per_gather: '0' }),
    );
    expect(text).toMatch(
      /^Sort by book\.title needed \d\.?\d? MB on disk: it does not fit into work_mem, and no index has the order\.$/,
    );
    expect(fix).toMatch(/^set work_mem = '\d+MB';/);
  });

  test('a hash', async () => {
    const plan = await planOf('select count(*) from book b join book c on b.title = c.title', {
      work_mem: '64kB',
      max_parallel_workers_per_gather: '0',
      enable_mergejoin: 'off',
      enable_nestloop: 'off',
    });
    expect((await only('spilled', plan)).text).toMatch(
      /^Hash was split into \d+ batches on disk.*: it does not fit into work_mem\.$/,
    );
  });

  test('groups', async () => {
    const plan = await planOf('select title, count(*) from book group by title', {
      work_mem: '64kB',
      enable_sort: 'off',
      max_parallel_workers_per_gather: '0',
    });
    expect((await only('spilled', plan)).text).toMatch(/^Aggregate was split into \d+ batches on disk/);
  });

  test('nothing where there is room', async () => {
    expect(await remarks(await planOf('select * from book order by title', { work_mem: '64MB' }))).toEqual([]);
  });
});

test('lossy-bitmap: whole pages instead of rows', async () => {
  const settings = {
    work_mem: '64kB',
    enable_seqscan: 'off',
    enable_indexscan: 'off',
    max_parallel_workers_per_gather: '0',
  };
  const sql = 'select * from book where pages < 250';
  const small = await remarks(await planOf(sql, settings));
  expect(small.map(({ rule }) => rule)).not.toContain('lossy-bitmap');
  await place.run(
    'create table wide (id int, filler text)',
    `insert into wide select n, repeat('x', 1500) from generate_series(1, 20000) n`,
    'create index wide_id on wide (id)',
    'analyze wide',
  );
  const { text, relation } = await only(
    'lossy-bitmap',
    await planOf('select * from wide where id between 5 and 15000', settings),
  );
  expect(relation).toBe('wide');
  expect(text).toMatch(
    /^Bitmap Heap Scan on wide remembered [\d,]+ of [\d,]+ pages only as a whole and checked [\d,]+ rows in vain: its bitmap does not fit into work_mem\.$/,
  );
});

describe('estimate-off: the planner was misled', () => {
  test('a hundredfold', async () => {
    const { text, fix, relation } = await only('estimate-off', await planOf('select * from stale where kind = 1'));
    expect(relation).toBe('stale');
    expect(text).toBe(
      'Index Scan on stale was expected to give 1 row and gave 5,000, 5,000 times as many: the statistics of kind mislead the planner.',
    );
    expect(fix).toBe('analyze "stale";  -- if that does not help: create statistics on its columns');
  });

  test('tenfold where it is repeated', async () => {
    const plan = await planOf('select * from shop s join stale t on t.kind = s.id + 0 * t.id where s.id < 3', {
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
      enable_material: 'off',
      join_collapse_limit: '1',
    });
    // Not there when nothing is wrong with the inner side.
    expect((await remarks(plan)).filter(({ rule }) => rule === 'estimate-off')).toEqual([]);
    await place.run(
      'create table owner (id int primary key)',
      'insert into owner select generate_series(1, 100)',
      'create table pet (owner_id int not null) with (autovacuum_enabled = off)',
      'insert into pet select n from generate_series(1, 10000) n',
      'create index pet_owner on pet (owner_id)',
      'analyze owner, pet',
      'insert into pet select n % 100 + 1 from generate_series(1, 2000) n',
    );
    const { text } = await only(
      'estimate-off',
      await planOf('select * from owner o join pet p on p.owner_id = o.id', {
        enable_hashjoin: 'off',
        enable_mergejoin: 'off',
        enable_bitmapscan: 'off',
        enable_seqscan: 'off',
        enable_memoize: 'off',
      }),
    );
    expect(text).toMatch(
      /on pet was expected to give 1 row a loop and gave 21, 21 times as many: the statistics of owner_id/,
    );
  });

  test('nothing where a limit had enough', async () => {
    expect(await remarks(await planOf('select * from book limit 1'))).toEqual([]);
    expect(
      await remarks(await planOf('select * from author where exists (select from book where pages >= 0)')),
    ).toEqual([]);
  });
});

test('heap-fetches: an index-only scan that is none', async () => {
  const { text, fix } = await only(
    'heap-fetches',
    await planOf('select id from stale where id < 9000', { enable_seqscan: 'off', enable_bitmapscan: 'off' }),
  );
  expect(text).toMatch(
    /^Index Only Scan on stale using stale_pkey looked [\d,]+ rows up in the table for 8,999 rows: its visibility map is out of date\.$/,
  );
  expect(fix).toBe('vacuum "stale";');
  expect(await remarks(await planOf('select id from book where id < 9000', { enable_seqscan: 'off' }))).toEqual([]);
});

describe('jit: compiled for longer than it was worth', () => {
  // As the manual shows one (the test's own server is built without LLVM), with the times that TIMING ON adds.
  const plan = (total: number, execution: number): PlanJson => ({
    Plan: { 'Node Type': 'Result' },
    'Execution Time': execution,
    JIT: { Functions: 4, Timing: { Generation: { Deform: 0.1, Total: 0.3 }, Total: total } },
  });

  test('more than a fifth of the time', async () => {
    expect((await only('jit', plan(80, 200))).text).toBe(
      'JIT compilation took 80 of 200 ms (40 %): the query is too short for it.',
    );
  });

  test('nothing with a fifth, or without times', async () => {
    expect(await remarks(plan(40, 200))).toEqual([]);
    expect(await remarks({ Plan: { 'Node Type': 'Result' }, JIT: { Functions: 4 }, 'Execution Time': 10 })).toEqual([]);
  });
});

test('cold-cache: said, and no index advised for it', async () => {
  await place.run(
    'create extension pg_buffercache',
    `create table cold with (autovacuum_enabled = off) as select n, repeat('x', 1500) as filler from generate_series(1, 20000) n`,
    'analyze cold',
  );
  // What is being written, or vacuumed, stays where it is.
  await place.rows('checkpoint');
  await place.rows(`select pg_buffercache_evict_relation('cold')`);
  const cold = await planOf('select count(*) from cold', { max_parallel_workers_per_gather: '0' });
  expect(await only('cold-cache', cold)).toMatchObject({ relation: undefined, fix: undefined });
  expect((await only('cold-cache', cold)).text).toMatch(
    /^\d+ MB came from outside of shared_buffers and \d+ kB from within: the cache was cold/,
  );
  expect(await remarks(await planOf('select count(*) from book', { max_parallel_workers_per_gather: '0' }))).toEqual(
    [],
  );
});

test('nothing of a read by its key', async () => {
  expect(
    await remarks(await planOf('select b.*, a.name from book b join author a on a.id = b.author_id where b.id = 7')),
  ).toEqual([]);
});

test('nothing of what is no plan', async () => {
  expect(await remarks({})).toEqual([]);
  expect(await remarks({ Plan: {} })).toEqual([]);
  expect(await remarks({ Plan: { 'Node Type': 5, Plans: [null, 7, 'x', []] } })).toEqual([]);
});
