import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { TimingReport } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { Author, Book, Library, Tag, type Timed } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

const fork = ({ orm }: Timed): EntityManager => orm.em.fork() as EntityManager;

describe('report()', () => {
  test('of nothing', async () => {
    const { timing } = await library.timed();
    expect(timing.report()).toEqual({
      at: expect.any(Number),
      since: expect.any(Number),
      totals: expect.objectContaining({ queries: 0, errors: 0, rows: 0, took: 0, scopes: 0, transactions: 0 }),
      findings: [],
      shapes: [],
      scopes: [],
      plans: [],
      pools: [],
      nodes: [],
      cache: undefined,
      batches: undefined,
      own: {
        perQuery: expect.any(Number),
        memory: expect.any(Number),
        dropped: expect.any(Object),
        failures: 0,
      },
      seconds: [],
    });
  });

  test('totals are the sums of the records', { retry: 3 }, async () => {
    const timed = await library.timed();
    await timed.timing.run('one', async () => {
      const em = fork(timed);
      await em.find(Book, {});
      await em.count(Tag);
      await em.execute('select 1 / 0').catch(() => undefined);
    });
    await fork(timed).transactional(em => em.count(Author));
    await timed.timing.settled();
    const sum = (name: 'took' | 'wait' | 'send' | 'database' | 'after'): unknown =>
      expect.closeTo(
        timed.records.reduce((all, record) => all + record[name], 0),
        3,
      );
    expect(timed.timing.report().totals).toMatchObject({
      queries: 6,
      errors: 1,
      rows: 14,
      transactions: 1,
      scopes: 2,
      took: sum('took'),
      wait: sum('wait'),
      send: sum('send'),
      database: sum('database'),
      after: sum('after'),
    });
  });

  test('shapes: calls, errors, rows, sums, percentiles and the slowest three, the most costly first', async () => {
    const timed = await library.timed();
    for (let id = 1; id <= 9; id++) {
      await fork(timed).findOne(Book, id);
    }
    for (const seconds of [0.05, 0.2, 0.1, 0.15]) {
      await fork(timed).execute(`select pg_sleep(${seconds})`);
    }
    await fork(timed)
      .execute('select * from nowhere')
      .catch(() => undefined);
    const { shapes } = timed.timing.report();
    expect(shapes.map(({ took }) => took)).toEqual(shapes.map(({ took }) => took).toSorted((a, b) => b - a));
    // By name: which of them costs the most is the machine's affair.
    const named = shapes.toSorted((a, b) => (a.text < b.text ? -1 : 1));
    expect(named.map(({ text, calls, errors, rows }) => [text, calls, errors, rows])).toEqual([
      ['select "b0".* from "book" as "b0" where "b0"."id" = ? limit ?', 9, 0, 9],
      ['select * from nowhere', 1, 1, 0],
      ['select pg_sleep(?)', 4, 0, 4],
    ]);
    const [books, , naps] = named as [TimingReport['shapes'][0], unknown, TimingReport['shapes'][0]];
    const own = timed.records.filter(({ shape }) => shape.id === naps.id).map(({ took }) => took);
    expect(naps.worst.map(({ took }) => took)).toEqual(own.toSorted((a, b) => b - a).slice(0, 3));
    expect(naps.max).toBeCloseTo(Math.max(...own));
    expect(naps.took).toBeCloseTo(own.reduce((a, b) => a + b));
    expect(naps.p50).toBeGreaterThan(90_000);
    expect(naps.p50).toBeLessThan(naps.p95);
    expect(naps.p95).toBeLessThanOrEqual(naps.max);
    expect(naps.p99).toBeLessThanOrEqual(naps.max);
    expect(naps.histogram.reduce((sum, [, count]) => sum + count, 0)).toBe(4);
    expect(books).toMatchObject({
      kind: 'select',
      summary: 'select book',
      tables: ['book'],
      entity: 'Book',
      operation: 'findOne',
      plan: undefined,
      server: undefined,
    });
    expect(books.lastSeen).toBeGreaterThan(Date.now() - 60_000);
  });

  test('shapes: lists of any length, and values of any kind, are one', async () => {
    const timed = await library.timed();
    await fork(timed).find(Book, { id: { $in: [1, 2] } });
    await fork(timed).find(Book, { id: { $in: [1, 2, 3, 4] } });
    await fork(timed).insertMany(Tag, [
      { id: 40, name: 'a' },
      { id: 41, name: 'b' },
    ]);
    await fork(timed).insertMany(Tag, [{ id: 42, name: 'c' }]);
    await fork(timed).nativeDelete(Tag, { id: { $gte: 40 } });
    expect(
      timed.timing
        .report()
        .shapes.map(({ calls, summary }) => [summary, calls])
        .toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1)),
    ).toEqual([
      ['delete tag', 1],
      ['insert tag', 2],
      ['select book', 2],
    ]);
  });

  // A pause of the machine ends the scope of a fork, too.
  test('scopes: those that run, and those that are over, the newest first', { retry: 3 }, async () => {
    const timed = await library.timed();
    await timed.timing.run('first', () => fork(timed).count(Tag));
    await timed.timing.run('second', () => fork(timed).count(Tag));
    const em = fork(timed);
    await em.count(Tag);
    await em.count(Tag);
    expect(timed.timing.report().scopes.map(({ name, open }) => [name, open])).toEqual([
      [`fork ${em.id}`, true],
      ['second', false],
      ['first', false],
    ]);
    await timed.timing.settled();
    expect(timed.timing.report().scopes.map(({ name, open }) => [name, open])).toEqual([
      [`fork ${em.id}`, false],
      ['second', false],
      ['first', false],
    ]);
  });

  test('seconds: one for each that had queries', async () => {
    const timed = await library.timed();
    await fork(timed).count(Tag);
    await sleep(1_100);
    await fork(timed).count(Tag);
    await fork(timed).count(Tag);
    const { seconds } = timed.timing.report();
    expect(seconds.length).toBeGreaterThanOrEqual(2);
    expect(seconds.reduce((sum, { queries }) => sum + queries, 0)).toBe(3);
    expect(seconds.map(({ second }) => second)).toEqual(seconds.map(({ second }) => second).toSorted((a, b) => a - b));
    expect(Math.abs(seconds.at(-1)!.second - Date.now() / 1000)).toBeLessThan(60);
  });

  test('own cost is measured, small, and does not count among the queries', async () => {
    const timed = await library.timed();
    const { own, totals } = timed.timing.report();
    expect(own.perQuery).toBeGreaterThan(0.1);
    expect(own.perQuery).toBeLessThan(200);
    expect(own.memory).toBeGreaterThan(0);
    expect(totals.queries).toBe(0);
    timed.timing.run('one', () => void timed.timing.report());
    expect(timed.timing.report().totals.queries).toBe(0);
  });

  test('is plain data, which nobody else has', async () => {
    const timed = await library.timed({ slow: 0, callSites: { sample: 1 } });
    await timed.timing.run('one', async () => {
      const em = fork(timed);
      await em.find(Book, {});
      await em.execute('select 1 / 0').catch(() => undefined);
    });
    const report = timed.timing.report();
    expect(structuredClone(report)).toEqual(report);
    const again = JSON.parse(JSON.stringify(report)) as TimingReport;
    expect(again.shapes).toHaveLength(report.shapes.length);
    // Whoever changes it changes nothing else.
    for (const list of [report.shapes, report.scopes, report.findings, report.seconds]) {
      (list as unknown[]).length = 0;
    }
    (report.totals as { queries: number }).queries = 99;
    const { shapes, scopes, findings, totals } = timed.timing.report();
    expect([shapes.length, scopes.length, totals.queries]).toEqual([2, 1, 2]);
    expect(findings).toHaveLength(2);
  });

  test('can be asked for while queries run, of any scope', async () => {
    const timed = await library.timed();
    const running = Promise.all(Array.from({ length: 10 }, () => fork(timed).execute('select pg_sleep(0.05)')));
    for (let each = 0; each < 20; each++) {
      expect(() => timed.timing.report()).not.toThrow();
      await sleep(5);
    }
    await running;
    expect(timed.timing.report().totals.queries).toBe(10);
  });
});

describe('reset()', () => {
  test('forgets everything', async () => {
    const timed = await library.timed({ slow: 0 });
    await timed.timing.run('one', () => fork(timed).find(Book, {}));
    await fork(timed).count(Tag);
    const before = timed.timing.report();
    expect(before.findings.length).toBeGreaterThan(0);
    timed.timing.reset();
    const after = timed.timing.report();
    expect(after).toMatchObject({
      findings: [],
      shapes: [],
      scopes: [],
      seconds: [],
      totals: { queries: 0, scopes: 0 },
    });
    expect(after.since).toBeGreaterThanOrEqual(before.since);
    expect(after.own.failures).toBe(0);
  });

  test('while queries run: they are counted from then on', async () => {
    const timed = await library.timed();
    await timed.timing.run('one', async () => {
      await fork(timed).count(Tag);
      const running = fork(timed).execute('select pg_sleep(0.1)');
      timed.timing.reset();
      await running;
    });
    const { totals, scopes } = timed.timing.report();
    expect(totals.queries).toBe(1);
    expect(scopes.map(({ name, queries }) => [name, queries])).toEqual([['one', 2]]);
  });
});
