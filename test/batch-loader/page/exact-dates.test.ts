import type { MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ExactDates } from '../../../packages/batch-loader/src/page/exact-dates.ts';
import type { PageContext } from '../../../packages/batch-loader/src/page/plan-page.ts';
import { openOrm } from '../../harness/orm.ts';
import { contextOf, pageOf } from './gauges.ts';

const installed = () => {
  const platform = { parseDate: (value: string | number): Date => new Date(value) };
  const dates = new ExactDates();
  dates.install(platform);
  return { dates, parse: (value: string | number) => platform.parseDate(value) };
};

describe('microseconds of what was read', () => {
  test.each<[string | number, number]>([
    ['2024-01-01 00:00:00.123456+00', 456],
    ['2024-01-01 00:00:00.1234+00', 400],
    ['2024-01-01 00:00:00.123006+00', 6],
    ['2024-01-01 00:00:00.123+00', 0],
    ['2024-01-01 00:00:00+00', 0],
    ['1969-12-31 23:59:59.999999+00', 999],
    ['2024-01-01', 0],
    [123_456, 0],
  ])('%s', (text, microseconds) => {
    const { dates, parse } = installed();
    expect(dates.microsecondsOf(parse(text))).toBe(microseconds);
  });

  test('of fewer than six digits are read without what follows', () => {
    const { dates, parse } = installed();
    expect(dates.microsecondsOf(parse('2024-01-01 00:00:00.12345+00'))).toBe(450);
  });

  test('are not to be seen on the Date', () => {
    const date = installed().parse('2024-01-01 00:00:00.123456+00');
    expect(Reflect.ownKeys(date)).toEqual([]);
    expect(date).toStrictEqual(new Date('2024-01-01T00:00:00.123Z'));
  });

  test('are lost when the Date is set to another time, and unknown of a copy', () => {
    const { dates, parse } = installed();
    const date = parse('2024-01-01 00:00:00.123456+00');
    expect(dates.microsecondsOf(new Date(date))).toBe(0);
    date.setSeconds(1);
    expect(dates.microsecondsOf(date)).toBe(0);
  });

  test('are not guessed where a number has no room for them', () => {
    const { dates, parse } = installed();
    expect(dates.microsecondsOf(parse('2999-01-01 00:00:00.123456+00'))).toBe(0);
  });
});

/** What a table with `default now()` is full of: rows of one millisecond. */
describe.each([
  ['UTC', {}],
  ["the process's", { forceUtcTimezone: false }],
  ['local', { forceUtcTimezone: false, timezone: 'local' }],
  ['+03:30', { forceUtcTimezone: false, timezone: '+03:30' }],
])('rows of one millisecond, ORM in time zone %s', (_, zone) => {
  const own = process.env['TZ'];
  beforeAll(() => {
    process.env['TZ'] = 'America/St_Johns';
  });
  afterAll(() => {
    if (own === undefined) {
      delete process.env['TZ'];
    } else {
      process.env['TZ'] = own;
    }
  });

  const Event = defineEntity({
    name: 'Event',
    properties: {
      id: p.integer().primary(),
      at: p.datetime(6),
      wall: p.datetime(6).columnType('timestamp'),
      parent: () => p.manyToOne(Event).ref().nullable(),
    },
  });

  const walk = async (orm: MikroORM, context: PageContext, orderBy: object): Promise<number[]> => {
    const ids: number[] = [];
    let after: string | undefined;
    do {
      const page = await pageOf(orm.em.fork(), context, Event, {}, { first: 2, after, orderBy });
      ids.push(...page.items.map(item => (item as { id: number }).id));
      after = page.hasNextPage ? page.endCursor! : undefined;
    } while (after !== undefined && ids.length < 50);
    return ids;
  };

  test('are each on one page', async () => {
    const orm = await openOrm({ entities: [Event], ...zone });
    const context = contextOf(orm);
    for (let id = 1; id <= 9; id++) {
      const at = `2024-01-01 00:00:00.1230${(id * 37) % 100 < 10 ? '0' : ''}${(id * 37) % 100}`;
      await orm.em
        .getConnection()
        .execute('insert into event values (?, ?, ?, ?)', [id, `${at}+00`, at, 10 - id < id ? 10 - id : null]);
    }
    const sorted = (await orm.em.fork().find(Event, {}, { orderBy: { at: 1 } })).map(event => event.id);
    expect(await walk(orm, context, { at: 'asc' })).toEqual(sorted);
    expect(await walk(orm, context, { at: 'desc' })).toEqual(sorted.toReversed());
    expect(await walk(orm, context, { wall: 'asc' })).toEqual(sorted);
    expect((await walk(orm, context, { parent: { at: 'desc' } })).toSorted((a, b) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  test('and without the microseconds they are not', async () => {
    const orm = await openOrm({ entities: [Event] });
    // The extension's own part in it left out.
    const context = {
      platform: orm.driver.getPlatform() as unknown as PageContext['platform'],
      dates: new ExactDates(),
    };
    await orm.em
      .getConnection()
      .execute(
        "insert into event select n, timestamptz '2024-01-01 00:00:00.123Z' + n * interval '1 microsecond', now() from generate_series(1, 9) n",
      );
    expect((await walk(orm, context, { at: 'asc' })).length).toBe(50);
  });
});
