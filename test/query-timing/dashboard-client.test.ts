import { readdirSync } from 'node:fs';
import { Script } from 'node:vm';
import fc from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ago } from '../../packages/query-timing/src/dashboard/client/ago.ts';
import { createUpdates } from '../../packages/query-timing/src/dashboard/client/updates.ts';
import { hashOf, placeOf, views } from '../../packages/query-timing/src/dashboard/client/location.ts';
import { planRows } from '../../packages/query-timing/src/dashboard/client/plan-numbers.ts';
import { everySecond } from '../../packages/query-timing/src/dashboard/client/seconds.ts';
import { bars } from '../../packages/query-timing/src/dashboard/client/spark.ts';
import { sqlLines, sqlTokens } from '../../packages/query-timing/src/dashboard/client/sql.ts';
import { matching, sortedRows } from '../../packages/query-timing/src/dashboard/client/table.ts';
import { h } from '../../packages/query-timing/src/dashboard/client/vnode.ts';
import {
  niceTicks,
  type Timed,
  waterfallLayout,
} from '../../packages/query-timing/src/dashboard/client/waterfall-layout.ts';
import { clientScript } from '../../packages/query-timing/src/dashboard/client-script.ts';
import { Histogram } from '../../packages/query-timing/src/histogram.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { longReport } from './fixtures/long-report.ts';

/** A query from `from` to `to`, in µs; multiples of 125 are exact. */
function query(from: number, to: number, more: Partial<Timed> = {}): Timed {
  return { start: 1_000_000 + from / 1000, took: to - from, transaction: undefined, operation: 'find', ...more };
}

describe('the waterfall', () => {
  const whole = { start: 1_000_000, took: 10_000 };
  const lanes = (records: readonly Timed[]): number[] => waterfallLayout(records, whole).bars.map(({ lane }) => lane);

  test('one after the other need one lane', () => {
    expect(lanes([query(0, 100), query(100, 300), query(400, 500)])).toEqual([0, 0, 0]);
  });

  test('those at one time get lanes of their own, and a lane that is free again is taken', () => {
    expect(lanes([query(0, 500), query(100, 200), query(150, 300), query(250, 260), query(600, 700)])).toEqual([
      0, 1, 2, 1, 0,
    ]);
  });

  test('an overlap that only rounding has made is none', () => {
    expect(lanes([query(0, 100.4), query(100, 200)])).toEqual([0, 0]);
  });

  test('the axis shows the whole request, or only what has queries', () => {
    const records = [query(4000, 4125), query(4250, 4500)];
    expect(waterfallLayout(records, whole)).toMatchObject({
      start: 1_000_000,
      length: 10_000,
      bars: [{ from: 4000 }, { from: 4250 }],
    });
    expect(waterfallLayout(records, undefined)).toMatchObject({
      start: 1_000_004,
      length: 500,
      bars: [{ from: 0 }, { from: 250 }],
    });
  });

  test('a query that goes on after its request does not leave the axis', () => {
    expect(waterfallLayout([query(9000, 14_000)], whole).length).toBe(14_000);
  });

  test('a transaction is a bracket from its begin to its end, and knows when nothing ran in it', () => {
    const records = [
      query(0, 125, { transaction: 7, operation: 'begin' }),
      query(125, 375, { transaction: 7 }),
      query(150, 200),
      query(875, 1000, { transaction: 7, operation: 'commit' }),
    ];
    expect(waterfallLayout(records, whole).transactions).toEqual([
      { id: 7, level: 0, from: 0, to: 1000, queries: 3, end: 'commit', idle: 500 },
    ]);
  });

  test('transactions beside each other have rows of their own; one may have no end here', () => {
    const records = [
      query(0, 500, { transaction: 1 }),
      query(100, 200, { transaction: 2, operation: 'rollback' }),
      query(600, 700, { transaction: 3 }),
    ];
    const { transactions, levels } = waterfallLayout(records, whole);
    expect(transactions.map(({ level, end }) => [level, end])).toEqual([
      [0, undefined],
      [1, 'rollback'],
      [0, undefined],
    ]);
    expect(levels).toBe(2);
  });

  test('no queries', () => {
    expect(waterfallLayout([], whole)).toMatchObject({ bars: [], lanes: 0, length: 10_000 });
    expect(waterfallLayout([], undefined)).toMatchObject({ bars: [], length: 1 });
  });

  test('no two of one lane overlap, nothing leaves the axis, and there are as many lanes as ever ran at one time', () => {
    const spans = fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 2, max: 800 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(spans, all => {
        const layout = waterfallLayout(
          all.map(([from, took]) => query(from, from + took)),
          undefined,
        );
        for (const bar of layout.bars) {
          expect(bar.from).toBeGreaterThanOrEqual(0);
          expect(bar.to).toBeLessThanOrEqual(layout.length);
        }
        const overlap = (a: { from: number; to: number }, b: { from: number; to: number }): boolean =>
          a.from < b.to - 1 && b.from < a.to - 1;
        layout.bars.forEach((a, index) =>
          layout.bars.slice(index + 1).forEach(b => expect(a.lane === b.lane && overlap(a, b)).toBe(false)),
        );
        const most = layout.bars.reduce(
          (top, { from }) => Math.max(top, layout.bars.filter(each => each.from <= from && each.to >= from).length),
          0,
        );
        expect(layout.lanes).toBeLessThanOrEqual(most);
      }),
    );
  });

  test('ticks are round, few, and on the axis', () => {
    expect(niceTicks(54_800, 6)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e9, noNaN: true }), length => {
        const ticks = niceTicks(length, 6);
        expect(ticks.length).toBeGreaterThan(2);
        expect(ticks.length).toBeLessThan(9);
        expect(ticks.at(-1)).toBeLessThanOrEqual(length * 1.001);
      }),
    );
  });
});

describe('a plan', () => {
  const { root } = longReport().plans[0]!;

  test('each node has its own time, without that of what it reads from', () => {
    const rows = planRows(root, () => false);
    expect(rows.map(({ node, path }) => `${path} ${node.type}`)).toEqual([
      '0 Limit',
      '0.0 Sort',
      '0.0.0 Nested Loop',
      '0.0.0.0 Seq Scan',
      '0.0.0.1 Index Scan',
    ]);
    expect([rows[0]!.own, rows[3]!.own]).toEqual([3, 310]);
    expect(rows[3]!.share).toBeCloseTo(310 / 412);
  });

  test('rows that were misjudged are told by how much, up and down', () => {
    expect(planRows({ ...root, planRows: 10, actualRows: 5000, children: [] }, () => false)[0]!.misjudged).toBe(500);
    expect(planRows({ ...root, planRows: 5000, actualRows: 0, children: [] }, () => false)[0]!.misjudged).toBe(-5000);
    expect(planRows({ ...root, planRows: 7, actualRows: 7, children: [] }, () => false)[0]!.misjudged).toBe(1);
  });

  test('one that was not run goes by cost', () => {
    const rows = planRows(longReport().plans[1]!.root, () => false);
    expect(rows.map(({ own, misjudged }) => [own, misjudged])).toEqual([
      [1, undefined],
      [50, undefined],
      [588, undefined],
      [6200, undefined],
      [12, undefined],
    ]);
  });

  test('what a folded node reads from is hidden, all the way down', () => {
    expect(planRows(root, path => path === '0.0').map(({ hidden }) => hidden)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
  });
});

describe('seconds', () => {
  test('those without queries are there, too, until now', () => {
    const seconds = [{ second: 95, queries: 3, took: 1, wait: 0, waiting: 0, used: 2 }];
    expect(everySecond(seconds, 98_400, 5).map(({ second, queries }) => [second, queries])).toEqual([
      [94, 0],
      [95, 3],
      [96, 0],
      [97, 0],
      [98, 0],
    ]);
  });
});

describe('a histogram', () => {
  test('its times are those of the package, and no call is lost', () => {
    const histogram = new Histogram();
    for (const us of [90, 900, 905, 910, 40_000]) {
      histogram.record(us);
    }
    const buckets = [90, 900, 905, 910, 40_000].map(us => [Math.ceil(Math.log2(us) * 16) - 1, 1] as const);
    const all = bars(buckets, 24);
    expect(all.reduce((sum, { calls }) => sum + calls, 0)).toBe(histogram.count);
    expect(
      all
        .filter(({ calls }) => calls > 0)
        .every(({ from, to }) => [90, 900, 905, 910, 40_000].some(us => from < us && us <= to)),
    ).toBe(true);
    expect(all.length).toBeLessThanOrEqual(24);
  });

  test('of one bucket, and of none', () => {
    expect(bars([[160, 4]], 24)).toMatchObject([{ calls: 4 }]);
    expect(bars([], 24)).toEqual([]);
  });
});

describe('SQL in colours', () => {
  test('its pieces are its text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-z '"?$/*\-(\n0-9]*$/)), sql => {
        expect(
          sqlTokens(sql)
            .map(({ text }) => text)
            .join(''),
        ).toBe(sql);
      }),
    );
  });

  test('quotes and comments are one piece', () => {
    const told = sqlTokens(`select "from" /* from */, 'it''s from' from t -- where`).map(
      ({ kind, text }) => `${kind} ${text}`,
    );
    expect(told.filter(each => !each.startsWith('space'))).toEqual([
      'keyword select',
      'name "from"',
      'comment /* from */',
      'plain ,',
      `text 'it''s from'`,
      'keyword from',
      'plain t',
      'comment -- where',
    ]);
  });

  test.each([
    ['select a from b where c = ? order by d limit ?', 'select a\nfrom b\nwhere c = ?\norder by d\nlimit ?'],
    ['select a from b left join c on c.d = b.d', 'select a\nfrom b\nleft join c on c.d = b.d'],
    ['select (select x from y where z) from b', 'select (select x from y where z)\nfrom b'],
    ['delete from b where c = ?', 'delete from b\nwhere c = ?'],
    [
      'insert into a (b) values (?) on conflict do update set b = ? returning id',
      'insert into a (b)\nvalues (?) on conflict do update set b = ?\nreturning id',
    ],
    ['update a set b = ? where c is distinct from ?', 'update a\nset b = ?\nwhere c is distinct from ?'],
    ['select a\n  from b', 'select a\n  from b'],
  ])('%s is on several lines', (sql, expected) => {
    expect(
      sqlLines(sqlTokens(sql))
        .map(({ text }) => text)
        .join(''),
    ).toBe(expected);
  });

  test('is read in linear time', () => {
    for (const piece of ["'", '"', '/*', '--', '$1', '(', 'a', '0', '  ']) {
      expect(
        cpuTime(() => sqlTokens(piece.repeat(200_000 / piece.length))),
        piece,
      ).toBeLessThan(1_500);
    }
  });
});

describe('tables', () => {
  const rows = [
    { name: 'b', size: 2 },
    { name: 'a', size: 10 },
    { name: 'c', size: undefined },
    { name: 'd', size: 10 },
  ];
  const columns = [
    { id: 'name', label: 'Name', value: (row: (typeof rows)[number]) => row.name, cell: () => '' },
    { id: 'size', label: 'Size', value: (row: (typeof rows)[number]) => row.size, cell: () => '' },
  ];
  const names = (column: string, descending: boolean): string =>
    sortedRows(rows, columns, { column, descending })
      .map(({ name }) => name)
      .join('');

  test('sorted by numbers and by names; what has no value is last, equal ones stay', () => {
    expect([names('name', false), names('size', false), names('size', true), names('none', true)]).toEqual([
      'abcd',
      'badc',
      'adbc',
      'bacd',
    ]);
  });

  test('searched for every word, in any case and order', () => {
    const found = (search: string): string[] =>
      matching(['Select Book', 'select author', 'Update Book'], search, text => text) as string[];
    expect([found('book select'), found('  '), found('BOOK').length, found('x')]).toEqual([
      ['Select Book'],
      ['Select Book', 'select author', 'Update Book'],
      2,
      [],
    ]);
  });
});

describe('addresses of views', () => {
  test.each(views)('%s', view => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 50 }), id => {
        expect(placeOf(hashOf(view, id))).toEqual({ view, id });
      }),
    );
    expect(placeOf(hashOf(view))).toEqual({ view, id: undefined });
  });

  test('anything else is the first view', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), hash => views.includes(placeOf(hash).view)));
    expect(placeOf('#__proto__/x')).toEqual({ view: 'findings', id: 'x' });
    expect(placeOf('#shapes/%E0%A4%A')).toEqual({ view: 'shapes', id: '%E0%A4%A' });
  });
});

describe('ago()', () => {
  test.each([
    [0, 'just now'],
    [1400, 'just now'],
    [12_000, '12 s ago'],
    [200_000, '3 min ago'],
    [7_200_000, '2 h ago'],
    [-5000, 'just now'],
  ])('%s ms', (ms, text) => {
    expect(ago(1_000_000_000, 1_000_000_000 + ms)).toBe(text);
  });
});

describe('h()', () => {
  test('leaves out what is not there, and makes texts of numbers', () => {
    expect(h('p.a.b', { key: 3 }, 'x', undefined, false, '', 0, [h('i', undefined)])).toMatchObject({
      tag: 'p',
      key: '3',
      attributes: { class: 'a b' },
      children: ['x', '0', { tag: 'i', children: [] }],
    });
  });
});

describe('the script of the page', () => {
  test('has every module of the client once, without imports, and is a program', async () => {
    const script = await clientScript('main');
    const folder = new URL('../../packages/query-timing/src/dashboard/client/', import.meta.url);
    // Those of state are types alone.
    const modules = readdirSync(folder).length;
    const shared = ['format', 'visible', 'place', 'clip', 'finding-kinds'].length;
    expect(script.match(/^const m\d+ = \(\(\) => \{$/gm)).toHaveLength(modules + shared);
    expect(/^\s*(?:import|export)\b/m.test(script)).toBe(false);
    expect(() => new Script(script)).not.toThrow();
    expect(script.includes('</script') || script.includes('<!--')).toBe(false);
  });

  test('never makes markup of a text', async () => {
    const script = await clientScript('main');
    expect(script).not.toMatch(
      /innerHTML|outerHTML|insertAdjacent|document\.write|createContextualFragment|\beval\b|new Function/,
    );
  });
});

describe('updates', () => {
  test('the second within a second is held back; one that is cancelled meanwhile is not made', async () => {
    // All that is asked of a browser here.
    vi.stubGlobal('window', globalThis);
    vi.stubGlobal('document', { hidden: false, addEventListener: () => undefined });
    onTestFinished(() => void vi.unstubAllGlobals());
    const loads: number[] = [];
    const updates = createUpdates(() => {
      loads.push(performance.now());
      return Promise.resolve();
    });
    updates.request();
    await expect.poll(() => loads).toHaveLength(1);
    updates.request();
    updates.cancel();
    await sleep(1_500);
    expect(loads).toHaveLength(1);
    updates.request();
    await expect.poll(() => loads).toHaveLength(2);
    updates.request();
    await expect.poll(() => loads).toHaveLength(3);
    // Timers may be early by a part of a millisecond.
    expect(loads[2]! - loads[1]!).toBeGreaterThan(995);
  });
});
