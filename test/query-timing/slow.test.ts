import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { CountedFinding } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { Book, Library, Tag, type Timed } from './fixtures/library.ts';

let library: Library;
beforeAll(async () => {
  library = await Library.open();
});

const slowOf = ({ timing }: Timed): CountedFinding[] => timing.report().findings.filter(({ kind }) => kind === 'slow');
const napping = (em: EntityManager, seconds: number): Promise<unknown> => em.execute(`select pg_sleep(${seconds})`);

describe('a query that takes longer than the limit', () => {
  test('is told of: what it took, where, and of which scope it was', async () => {
    const timed = await library.timed({ slow: 200 });
    const told: CountedFinding[] = [];
    timed.timing.on('finding', finding => void told.push(finding));
    await timed.timing.run('nap', () => napping(timed.orm.em.fork() as EntityManager, 0.3));
    const [finding, ...more] = slowOf(timed);
    expect(more).toEqual([]);
    expect(finding).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      kind: 'slow',
      severity: 'warning',
      title: expect.stringMatching(/^Slow: select took \d{3,} ms \(limit 200 ms\)$/),
      subject: 'select pg_sleep(?)',
      shape: timed.records[0]!.shape.id,
      count: 1,
      cost: expect.any(Number),
      site: expect.objectContaining({ file: expect.stringContaining('slow.test.ts') }),
      parent: undefined,
      fix: undefined,
      evidence: [expect.stringMatching(/^waited [\d.]+ ms for a connection, \d{3,} ms in the database/), '1 rows'],
      scope: 'nap',
      occurrences: 1,
      firstSeen: expect.any(Number),
      lastSeen: expect.any(Number),
    });
    expect(finding!.cost / 1000).toBeGreaterThan(295);
    expect(told).toEqual([finding]);
    expect(timed.timing.report().scopes[0]!.findings.map(({ id }) => id)).toEqual([finding!.id]);
    expect(timed.records[0]!.site).toBeDefined();
  });

  test('again is counted, and the costliest of them is shown', async () => {
    const timed = await library.timed({ slow: 100 });
    for (const seconds of [0.15, 0.4, 0.2]) {
      await napping(timed.orm.em.fork() as EntityManager, seconds);
    }
    const [finding] = slowOf(timed);
    expect(finding).toMatchObject({ occurrences: 3, title: expect.stringMatching(/took [\d,.]+ m?s/) });
    expect(finding!.cost).toBe(Math.max(...timed.records.map(({ took }) => took)));
    expect(finding!.lastSeen).toBeGreaterThan(finding!.firstSeen);
  });

  test('ten times the limit is an error', async () => {
    const timed = await library.timed({ slow: 20 });
    await napping(timed.orm.em.fork() as EntityManager, 0.25);
    expect(slowOf(timed)).toMatchObject([{ severity: 'error' }]);
  });

  test('because it waited for a connection says so', async () => {
    const timed = await library.timed({ slow: { overall: 60_000, entities: [[Tag, 400]] } }, { pool: { max: 1 } });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const holding = timed.orm.em.fork().transactional(() => released);
    await expect.poll(() => timed.timing.pools()[0]?.used).toBe(1);
    const waiting = timed.orm.em.fork().count(Tag);
    await expect.poll(() => timed.timing.pools()[0]?.waiting).toBe(1);
    await sleep(600);
    release();
    await Promise.all([holding, waiting]);
    expect(slowOf(timed).map(({ title }) => title)).toEqual([
      expect.stringMatching(/^Slow: select tag took \d+ ms, of which it waited \d+ ms for a connection$/),
    ]);
  });

  test('and fails in the end is told of, too', async () => {
    const timed = await library.timed({ slow: 200 });
    await timed.orm.em
      .fork()
      .execute('select 1 / (0 * length(pg_sleep(0.3)::text))')
      .catch(() => undefined);
    expect(slowOf(timed)).toMatchObject([{ count: 1 }]);
  });
});

describe('limits', () => {
  test('one query that takes 200 ms is slow by default, one that takes 1 ms is not', async () => {
    const timed = await library.timed({ slow: undefined });
    for (let each = 0; each < 5; each++) {
      await timed.orm.em.fork().count(Tag);
    }
    await napping(timed.orm.em.fork() as EntityManager, 0.2);
    const slow = new Map(slowOf(timed).map(({ subject, occurrences }) => [subject, occurrences]));
    expect(slow.get('select pg_sleep(?)')).toBe(1);
    // On a busy machine one or another may be slow, but not all.
    expect(slow.get('select count(*) as "count" from "tag" as "t0"') ?? 0).toBeLessThan(5);
  });

  test.each<[string, unknown]>([
    ['its schema', Book],
    ['its class name', 'Book'],
  ])('of an entity, named by %s', async (_, entity) => {
    const timed = await library.timed({ slow: { overall: 60_000, entities: [[entity, 0]] } });
    await timed.orm.em.fork().find(Book, {});
    await timed.orm.em.fork().find(Tag, {});
    expect(slowOf(timed).map(({ subject }) => subject)).toEqual(['select "b0".* from "book" as "b0"']);
  });

  test('of an entity hold for a QueryBuilder and for Kysely as well: what counts is the first table', async () => {
    const timed = await library.timed({ slow: { overall: 60_000, entities: [[Book, 0]] } });
    const em = timed.orm.em.fork() as EntityManager;
    await em.createQueryBuilder(Book, 'b').getCount();
    await em.execute('select 1 from book');
    await em.execute('select 1 from tag, book');
    expect(
      slowOf(timed)
        .map(({ subject }) => subject)
        .toSorted(),
    ).toEqual(['select ? from book', 'select count(*) as "count" from "book" as "b"']);
  });

  test('of a shape, which goes before its entity and before the overall one', async () => {
    const first = await library.timed();
    await first.orm.em.fork().find(Book, {});
    await first.orm.em.fork().count(Book);
    const [find, count] = first.records.map(({ shape }) => shape.id) as [string, string];
    const timed = await library.timed({
      slow: { overall: 0, entities: [[Book, 60_000]], shapes: { [count]: 0, [find]: 50_000 } },
    });
    await timed.orm.em.fork().find(Book, {});
    await timed.orm.em.fork().count(Book);
    await timed.orm.em.fork().count(Tag);
    expect(slowOf(timed).map(({ shape }) => shape)).toContain(count);
    expect(slowOf(timed).map(({ shape }) => shape)).not.toContain(find);
    expect(slowOf(timed)).toHaveLength(2);
  });

  test('0 makes every query slow', async () => {
    const timed = await library.timed({ slow: 0 });
    await timed.orm.em.fork().transactional(em => em.count(Tag));
    expect(slowOf(timed)).toHaveLength(3);
  });
});

describe('what is known already is not told of again', () => {
  test('by the ids of a baseline', async () => {
    const first = await library.timed({ slow: 0 });
    await first.orm.em.fork().count(Tag);
    const [{ id }] = slowOf(first) as [CountedFinding];
    const timed = await library.timed({ slow: 0, baseline: [id] });
    const told: string[] = [];
    timed.timing.on('finding', finding => void told.push(finding.subject));
    await timed.timing.run('both', async () => {
      await timed.orm.em.fork().count(Tag);
      await timed.orm.em.fork().count(Book);
    });
    const others = ['select count(*) as "count" from "book" as "b0"'];
    expect(slowOf(timed).map(({ subject }) => subject)).toEqual(others);
    expect(told).toEqual(others);
    expect(timed.timing.report().scopes[0]!.findings.map(({ subject }) => subject)).toEqual(others);
  });
});
