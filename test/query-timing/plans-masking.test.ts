import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { maskPlan, MOST_BYTES } from '../../packages/query-timing/src/plans/masked-plan.ts';
import { isPlanJson, type PlanJson, readPlan } from '../../packages/query-timing/src/plans/plan-json.ts';
import { planTree } from '../../packages/query-timing/src/plans/plan-tree.ts';
import { Explainer, Place } from './fixtures/plans.ts';

/* No value of a statement is kept with its plan, and no plan is kept that is too large. */

const SECRET = 'hunter2';
const NUMBER = '4929123';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
  await place.fill(2_000);
  await place.run(
    'create index book_title on book (title)',
    'create index book_pages on book (pages)',
    'create extension btree_gist',
    'create index book_near on book using gist (pages)',
    'analyze',
  );
});

/** Where EXPLAIN writes values: the name of the field, a statement that has them there, and settings that choose the plan. */
const PLACES: readonly (readonly [field: string, sql: string, settings?: Readonly<Record<string, string>>])[] = [
  ['Filter', `select * from book where title <> '${SECRET}' and pages <> ${NUMBER}`],
  ['Filter', `select * from book where title <> E'\\\\${SECRET}' and deleted_at::text > '${SECRET}'`],
  [
    'Filter',
    `select * from book where title = any (array['x', '${SECRET}']) and lower(title) ~ '${SECRET}'`,
    { enable_indexscan: 'off', enable_bitmapscan: 'off' },
  ],
  ['Index Cond', `select * from book where title = '${SECRET}'`, { enable_bitmapscan: 'off', enable_seqscan: 'off' }],
  ['Recheck Cond', `select * from book where title = '${SECRET}'`, { enable_indexscan: 'off', enable_seqscan: 'off' }],
  [
    'Order By',
    `select * from book order by pages <-> ${NUMBER} limit 5`,
    { enable_seqscan: 'off', enable_sort: 'off' },
  ],
  ['Join Filter', `select * from book b join author a on b.title || '${SECRET}' < a.name`],
  [
    'Hash Cond',
    `select * from book b join author a on b.title || '${SECRET}' = a.name`,
    { enable_mergejoin: 'off', enable_nestloop: 'off' },
  ],
  [
    'Merge Cond',
    `select * from book b join author a on b.title || '${SECRET}' = a.name`,
    { enable_hashjoin: 'off', enable_nestloop: 'off' },
  ],
  ['One-Time Filter', `select * from book where now()::text > '${SECRET}'`],
  ['Output', `select '${SECRET}', ${NUMBER}, title || $tag$${SECRET}$tag$ from book`],
  ['Sort Key', `select * from book order by title || '${SECRET}'`],
  ['Group Key', `select 1 from book group by title || '${SECRET}'`],
  ['Group Key', `select 1 from book group by title || '${SECRET}'`, { enable_hashagg: 'off' }],
  // In steps: else the number would be that of its rows too, which is told.
  ['Function Call', `select * from generate_series(1, ${NUMBER}, 1000) x where x::text <> '${SECRET}'`],
  ['TID Cond', `select * from book where ctid = '(0,7)' and title <> '${SECRET}'`],
  [
    'Cache Key',
    `select * from book b join author a on a.id = b.pages % ${NUMBER}`,
    { enable_hashjoin: 'off', enable_mergejoin: 'off' },
  ],
  ['Values', `select * from (values ('${SECRET}', ${NUMBER}), ('x', 1)) v (a, b)`],
  [
    'Table Function Call',
    `select * from xmltable('/a' passing xmlelement(name a, '${SECRET}') columns b text path '${SECRET}') x`,
  ],
];

async function planned(sql: string, settings: Readonly<Record<string, string>>): Promise<unknown> {
  await place.run('begin', ...Object.entries(settings).map(([name, value]) => `set local ${name} = '${value}'`));
  try {
    return await place.explain(sql);
  } finally {
    await place.run('rollback');
  }
}

describe('a secret in', () => {
  test.each(PLACES.map(([field, sql, settings = {}]) => ({ field, sql, settings })))(
    '$field: $sql',
    async ({ field, sql, settings }) => {
      const raw = readPlan(await planned(sql, settings))!;
      const before = JSON.stringify(raw);
      if (field !== 'Values') {
        expect(before, 'the case shows what it says').toContain(field);
      }
      const masked = maskPlan(raw);
      expect(JSON.stringify(masked)).not.toMatch(new RegExp(`${SECRET}|${NUMBER}`));
      expect(JSON.stringify(planTree(masked['Plan'] as PlanJson, () => []))).not.toMatch(
        new RegExp(`${SECRET}|${NUMBER}`),
      );
      // Names and numbers of the planner are there all the same.
      expect(Object.keys(masked)).toEqual(Object.keys(raw));
      expect(JSON.stringify(masked)).toContain('"Total Cost"');
    },
  );

  test('Query Text, and a field that nobody knows yet', () => {
    const masked = maskPlan({
      'Query Text': `select '${SECRET}'`,
      Plan: { 'Node Type': 'Foreign Scan', 'Remote SQL': `select '${SECRET}'`, New: { Deep: [`(a = ${NUMBER})`] } },
    });
    expect(JSON.stringify(masked)).not.toMatch(new RegExp(`${SECRET}|${NUMBER}`));
    expect(masked).toMatchObject({ Plan: { 'Node Type': 'Foreign Scan' } });
  });

  test('a setting of somebody else', () => {
    const masked = maskPlan({ Plan: { 'Node Type': 'Result' }, Settings: { work_mem: '64kB', 'app.token': SECRET } });
    expect(masked['Settings']).toEqual({ work_mem: '64kB', 'app.token': '?' });
  });

  test('an explained statement is in nothing that is told', async () => {
    const explainer = new Explainer(place, { plans: { mode: 'analyze' }, advice: {} });
    for (const [, sql] of PLACES) {
      explainer.consider(sql);
    }
    await explainer.plans.idle();
    expect(explainer.plans.reports().length).toBeGreaterThan(12);
    const told = JSON.stringify([explainer.plans.reports(), explainer.findings]);
    expect(told).not.toMatch(new RegExp(`${SECRET}|${NUMBER}`));
  });
});

test('whatever the fields are called, and however deep, no literal is left', () => {
  const value = fc.constantFrom(
    `'${SECRET}'`,
    `(a = '${SECRET}'::text)`,
    `E'\\'${SECRET}'`,
    `x'${SECRET}'`,
    NUMBER,
    `$$${SECRET}$$`,
  );
  const tree = fc.letrec<{ node: unknown }>(tie => ({
    node: fc.oneof(
      { depthSize: 'small' },
      value,
      fc.array(tie('node'), { maxLength: 4 }),
      fc.dictionary(
        fc.constantFrom('Filter', 'Output', 'Plans', 'Workers', 'Zzz', '__proto__', 'Query Text', 'Group Keys'),
        tie('node'),
        { maxKeys: 5 },
      ),
    ),
  })).node;
  fc.assert(
    fc.property(tree, any => {
      const masked = maskPlan({ Plan: { 'Node Type': 'Result', More: any, Plans: [any] } });
      expect(JSON.stringify(masked)).not.toMatch(new RegExp(`${SECRET}|${NUMBER}`));
      expect(Object.getPrototypeOf(masked)).toBe(Object.prototype);
    }),
    { seed: 6, numRuns: 500 },
  );
});

describe('a plan that is large', () => {
  const size = (plan: PlanJson): number => Buffer.byteLength(JSON.stringify(plan));

  test('of many nodes', async () => {
    const sql = Array.from(
      { length: 700 },
      (_, index) => `select id, title, pages from book where pages = ${index}`,
    ).join(' union all ');
    const raw = readPlan(await planned(sql, { max_parallel_workers_per_gather: '0' }))!;
    expect(size(raw)).toBeGreaterThan(4 * MOST_BYTES);
    const masked = maskPlan(raw);
    expect(size(masked)).toBeLessThanOrEqual(MOST_BYTES);
    expect(masked['Plan']).toMatchObject({ 'Node Type': 'Append' });
  });

  test('of what it puts out', () => {
    const nodes = Array.from({ length: 200 }, () => ({
      'Node Type': 'Seq Scan',
      Output: Array.from({ length: 90 }, () => 'a.b'),
      Filter: '(a = 1)',
    }));
    const masked = maskPlan({ Plan: { 'Node Type': 'Append', Plans: nodes } });
    expect(size(masked)).toBeLessThanOrEqual(MOST_BYTES);
    const kept = (masked['Plan'] as { Plans: PlanJson[] }).Plans;
    expect(kept).toHaveLength(200);
    expect(kept[0]).toEqual({ 'Node Type': 'Seq Scan', Filter: '(a = ?)' });
  });

  test('of depth, of long texts, of characters of several bytes', () => {
    let deep: PlanJson = { 'Node Type': 'Result', Filter: '(x)' };
    for (let depth = 0; depth < 5_000; depth++) {
      deep = { 'Node Type': 'Result', Alias: 'ä'.repeat(900), Filter: `(a = '${'ü'.repeat(9_000)}')`, Plans: [deep] };
    }
    const masked = maskPlan({ Plan: deep });
    expect(size(masked)).toBeLessThanOrEqual(MOST_BYTES);
    expect(masked['Plan']).toMatchObject({ 'Node Type': 'Result', Filter: '(a = ?)' });
  });

  test('of nothing but its own fields', () => {
    const wide = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, index) => [`Field ${index} ${'x'.repeat(2_000)}`, 'y']),
    );
    const masked = maskPlan({ Plan: { 'Node Type': 'Result', ...wide } });
    expect(size(masked)).toBeLessThanOrEqual(MOST_BYTES);
    expect(isPlanJson(masked['Plan'])).toBe(true);
  });
});

describe('what EXPLAIN wrote', () => {
  test('keeps all digits of a query identifier', () => {
    const text = '[{"Plan": {"Node Type": "Result"}, "Query Identifier": -6844998717056034582}]';
    expect(readPlan(text)).toEqual({ Plan: { 'Node Type': 'Result' }, 'Query Identifier': '-6844998717056034582' });
    // A driver has made a number of it: its digits are wrong.
    expect(readPlan(JSON.parse(text))).toEqual({ Plan: { 'Node Type': 'Result' } });
  });

  test('a text inside is left alone', () => {
    const plan = { Plan: { Filter: '"Query Identifier": 5' } };
    expect(readPlan(JSON.stringify(plan))).toEqual(plan);
  });

  test.each([
    '',
    '{',
    '[]',
    '[5]',
    'null',
    '{"Plan": 5}',
    '{"Plan": []}',
    undefined,
    7,
    [[]],
    `[${' '.repeat(4_000_001)}]`,
  ])('is no plan: %#', value => {
    expect(readPlan(value)).toBeUndefined();
  });
});
