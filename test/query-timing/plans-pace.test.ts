import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limitsFor } from '../../packages/query-timing/src/plans/guarded-explain.ts';
import { keptValues } from '../../packages/query-timing/src/plans/kept-values.ts';
import { offsetOf } from '../../packages/query-timing/src/plans/offset.ts';
import { type KeptPlan, PlanStore } from '../../packages/query-timing/src/plans/plan-store.ts';
import { Recent } from '../../packages/query-timing/src/plans/recent.ts';
import { TokenBucket } from '../../packages/query-timing/src/plans/token-bucket.ts';
import { Waiting, type Waits } from '../../packages/query-timing/src/plans/waiting.ts';
import { within } from '../../packages/query-timing/src/plans/within.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';

/* How often, how long, how much: what keeps plans from being a burden. */

describe('so many in a minute', () => {
  test('all at once, then one after another', () => {
    let now = 0;
    const bucket = new TokenBucket(6, () => now);
    expect(Array.from({ length: 8 }, () => bucket.take())).toEqual([
      ...Array.from({ length: 6 }, () => true),
      false,
      false,
    ]);
    expect(bucket.wait()).toBe(10_000);
    now = 9_999;
    expect(bucket.take()).toBe(false);
    now = 10_000;
    expect(bucket.wait()).toBe(0);
    expect(bucket.take()).toBe(true);
    expect(bucket.left()).toBe(0);
    now = 3_600_000;
    expect(bucket.left()).toBe(6);
  });

  test('never more, however it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 200 }),
        (perMinute, steps) => {
          let now = 0;
          const taken: number[] = [];
          const bucket = new TokenBucket(perMinute, () => now);
          for (const step of steps) {
            now += step;
            if (bucket.take()) {
              taken.push(now);
            }
          }
          for (const begin of taken) {
            // A full bucket, and what comes in meanwhile.
            expect(taken.filter(at => at >= begin && at < begin + 60_000).length).toBeLessThanOrEqual(2 * perMinute);
          }
        },
      ),
      { seed: 6 },
    );
  });
});

describe('a shape is explained again', () => {
  test('after a while', () => {
    let now = 0;
    const recent = new Recent(900_000, () => now);
    expect(recent.has('a', () => 1)).toBe(false);
    recent.add('a', 1);
    now = 899_999;
    expect(recent.has('a', () => 1)).toBe(true);
    now = 900_000;
    expect(recent.has('a', () => 1)).toBe(false);
  });

  test('when its p95 has doubled; which is asked now and then only', () => {
    let now = 0;
    let asked = 0;
    const p95 = (value: number) => () => {
      asked += 1;
      return value;
    };
    const recent = new Recent(900_000, () => now);
    recent.add('a', 100);
    now = 9_999;
    expect(recent.has('a', p95(500))).toBe(true);
    expect(asked).toBe(0);
    now = 10_000;
    expect(recent.has('a', p95(199))).toBe(true);
    now = 15_000;
    expect(recent.has('a', p95(500))).toBe(true);
    expect(asked).toBe(1);
    now = 20_000;
    expect(recent.has('a', p95(200))).toBe(false);
  });

  test('a thousand are remembered, the oldest forgotten', () => {
    const recent = new Recent(900_000, () => 0);
    for (let index = 0; index <= 1_000; index++) {
      recent.add(`${index}`, undefined);
    }
    expect(recent.has('0', () => 1)).toBe(false);
    expect(recent.has('1', () => 1)).toBe(true);
    expect(recent.has('1000', () => 1)).toBe(true);
  });
});

describe('what waits for its turn', () => {
  const waits = (sql: string, took: number): Waits => ({ shape: scan(sql), sql, values: [], took, plan: undefined });

  test('is taken the slowest first', () => {
    const waiting = new Waiting(20);
    for (const [table, took] of [
      ['a', 5],
      ['b', 9],
      ['c', 7],
    ] as const) {
      waiting.add(waits(`select from ${table}`, took));
    }
    expect([waiting.take(), waiting.take(), waiting.take(), waiting.take()].map(each => each?.took)).toEqual([
      9,
      7,
      5,
      undefined,
    ]);
  });

  test('is one of a shape: the slowest', () => {
    const waiting = new Waiting(20);
    const slow = waits('select from a where id = 1', 9);
    const slower = waits('select from a where id = 2', 10);
    waiting.add(slow);
    expect(waiting.wants(slow.shape.id, 9)).toBe(false);
    expect(waiting.wants(slower.shape.id, 10)).toBe(true);
    waiting.add(slower);
    expect(waiting.size).toBe(1);
    expect(waiting.take()?.sql).toBe('select from a where id = 2');
  });

  test('is so many at most: the slowest', () => {
    const waiting = new Waiting(2);
    waiting.add(waits('select from a', 5));
    waiting.add(waits('select from b', 6));
    expect(waiting.wants(scan('select from c').id, 5)).toBe(false);
    expect(waiting.wants(scan('select from c').id, 7)).toBe(true);
    waiting.add(waits('select from c', 7));
    expect([waiting.take(), waiting.take(), waiting.take()].map(each => each?.took)).toEqual([7, 6, undefined]);
  });
});

describe('plans that are kept', () => {
  const kept = (id: string): KeptPlan => ({
    id,
    text: id,
    source: 'explain',
    at: 0,
    planning: undefined,
    execution: undefined,
    queryId: undefined,
    raw: '[{"Plan":{"Node Type":"Result"}}]',
    remarks: [],
    findings: [],
  });

  test('are fifty; the least costly gives way, never the newest', () => {
    const store = new PlanStore();
    const cost = (id: string): number => (id === '17' ? 1 : id === 'new' ? 0 : 100);
    for (let index = 0; index < 50; index++) {
      store.put(kept(`${index}`), cost);
    }
    expect(store.reports()).toHaveLength(50);
    store.put(kept('new'), cost);
    expect(store.reports()).toHaveLength(50);
    expect(store.get('17')).toBeUndefined();
    expect(store.get('new')).toBeDefined();
  });

  test('are one of a shape, the newest, which keeps what was found', () => {
    const store = new PlanStore();
    store.put(kept('a'), () => 0);
    store.put({ ...kept('a'), source: 'analyze', findings: ['x'] }, () => 0);
    store.addFindings('a', ['y', 'x']);
    store.addFindings('b', ['z']);
    expect(store.reports()).toHaveLength(1);
    expect(store.reports()[0]).toMatchObject({ source: 'analyze', findings: ['x', 'y'] });
  });

  test('tell about how large they are', () => {
    const store = new PlanStore();
    expect(store.size).toBe(0);
    store.put({ ...kept('a'), raw: JSON.stringify([{ Plan: { 'Node Type': 'x'.repeat(10_000) } }]) }, () => 0);
    expect(store.size).toBeGreaterThan(10_000);
  });
});

describe('values of a statement are copied', () => {
  test('as they are', () => {
    const at = new Date(5);
    const bytes = Buffer.from('abc');
    const list = ['a', [1, 2n]];
    const copies = keptValues(['x', 1, 2n, true, null, undefined, at, bytes, list], 1_000)!;
    expect(copies).toEqual(['x', 1, 2n, true, null, undefined, at, bytes, list]);
    expect(copies[6]).not.toBe(at);
    expect(copies[7]).not.toBe(bytes);
    expect(copies[8]).not.toBe(list);
    bytes.fill(0);
    expect(copies[7]).toEqual(Buffer.from('abc'));
  });

  test.each([
    ['an object', [{ toPostgres: () => 'x' }]],
    ['an object in an array', [[{}]]],
    ['a symbol', [Symbol('x')]],
    ['a long text', ['x'.repeat(1_001)]],
    ['many bytes', [Buffer.alloc(1_001)]],
    ['many numbers', Array.from({ length: 126 }, () => 1)],
    ['a deep array', [[[[[[[[[1]]]]]]]]]],
    ['texts that are long together', ['x'.repeat(600), 'y'.repeat(600)]],
  ])('%s is not', (_what, values) => {
    expect(keptValues(values, 1_000)).toBeUndefined();
  });

  test('an array that has itself in it is not', () => {
    const list: unknown[] = [];
    list.push(list);
    expect(keptValues(list, 1_000)).toBeUndefined();
  });
});

describe('limits', () => {
  test.each([
    [0, 50],
    [10_000, 50],
    [25_001, 51],
    [100_000, 200],
    [1_000_000, 2_000],
    [60_000_000, 2_000],
  ])('what took %d µs gets %d ms', (took, statement) => {
    expect(limitsFor(took)).toEqual({ statement, lock: 50 });
  });

  test('a promise has a time', async () => {
    await expect(within(1_000, 'It', Promise.resolve(5))).resolves.toBe(5);
    await expect(within(1_000, 'It', Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError);
    await expect(within(20, 'It', new Promise(() => {}))).rejects.toMatchObject({
      name: 'TimeLimitError',
      code: 'TIME_LIMIT',
      message: 'It took longer than 20 ms.',
    });
  });
});

test.each([
  ['select * from book order by id limit 10 offset 20000', [], 20_000],
  ['select * from book limit $1 offset $2', [10, 500], 500],
  ['select * from book limit $1 offset $2', [10, '500'], 500],
  ['SELECT * FROM book OFFSET 5 ROWS;', [], 5],
  ['select * from book', [], undefined],
  [`select ' offset 20000'`, [], undefined],
  ['select * from book limit $1 offset $2', [10], undefined],
  ['select * from book limit $1 offset $2', [10, 'many'], undefined],
  ['select * from (select * from book offset 20000) x', [], undefined],
])('the offset of %s with %j', (sql, values, expected) => {
  expect(offsetOf(sql, values)).toBe(expected);
});
