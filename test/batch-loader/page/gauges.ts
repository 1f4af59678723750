import { type EntityManager, type EntityMetadata, type MikroORM, Type } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { ExactDates } from '../../../packages/batch-loader/src/page/exact-dates.ts';
import type { Page } from '../../../packages/batch-loader/src/page/page.ts';
import { type PageContext, type PlannedOptions, planPage } from '../../../packages/batch-loader/src/page/plan-page.ts';
import type { Random } from '../random.ts';

/*
 * Tables of columns that are awkward to page by: null in many rows, few distinct values, more digits than a JavaScript value
 * has, values that are no text in JavaScript, keys of several columns.
 */

/** In the database with a prefix: what a cursor holds is not what JavaScript has. */
export class Code {
  readonly value: string;
  constructor(value: string) {
    this.value = value;
  }
  toJSON(): string {
    return this.value;
  }
}

class CodeType extends Type<Code, string> {
  override convertToDatabaseValue(value: Code | string): string {
    if (value == null) {
      return value;
    }
    return value instanceof Code ? `db:${value.value}` : `db:${value}`;
  }
  override convertToJSValue(value: string | Code): Code {
    return value instanceof Code ? value : new Code(value.replace(/^db:/, ''));
  }
  override toJSON(value: Code): string {
    return value.value;
  }
  override fromJSON(value: string): Code {
    return new Code(value);
  }
  override getColumnType(): string {
    return 'varchar(50)';
  }
  override compareAsType(): string {
    return 'string';
  }
}

export const Shop = defineEntity({
  name: 'Shop',
  properties: { id: p.integer().primary(), name: p.string().nullable(), opened: p.datetime(6) },
});

export const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: { city: p.string().nullable(), floor: p.smallint() },
});

/** Its key is a relation and a number. */
export const Shelf = defineEntity({
  name: 'Shelf',
  primaryKeys: ['shop', 'number'],
  properties: {
    shop: () => p.manyToOne(Shop).ref().primary(),
    number: p.integer().primary(),
    label: p.string(),
    since: p.datetime(6),
  },
});

export const Gauge = defineEntity({
  name: 'Gauge',
  properties: {
    id: p.bigint().primary(),
    rank: p.integer(),
    score: p.integer().nullable(),
    price: p.decimal('string').precision(30).scale(15),
    discount: p.decimal('string').precision(12).scale(4).nullable(),
    ratio: p.double().nullable(),
    weight: p.float(),
    at: p.datetime(6),
    wall: p.datetime(6).columnType('timestamp').nullable(),
    seen: p.datetime(3),
    day: p.date().nullable(),
    hour: p.time().columnType('time'),
    token: p.uuid(),
    flag: p.boolean().nullable(),
    kind: p.enum(['zinc', 'ash', 'moss']).nativeEnumName('gauge_kind'),
    label: p.text().nullable(),
    title: p.string(),
    code: p.type(CodeType).nullable(),
    big: p.bigint('string').nullable(),
    note: p.text().lazy().ref().nullable(),
    place: () => p.embedded(Place),
    shop: () => p.manyToOne(Shop).ref().nullable(),
    home: () => p.manyToOne(Shop).ref(),
    twin: () => p.manyToOne(Gauge).ref().nullable(),
    shelf: () => p.manyToOne(Shelf).ref().nullable(),
    tags: p.array(),
    meta: p.json<{ shelf: number }>().nullable(),
    twins: () => p.oneToMany(Gauge).mappedBy('twin'),
    plate: () => p.oneToOne(Plate).mappedBy('gauge').ref(),
  },
});

/** Refers to a gauge, which has no column for it. */
export const Plate = defineEntity({
  name: 'Plate',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
    gauge: () => p.oneToOne(Gauge).owner().ref().inversedBy('plate'),
  },
});

/** A custom type as key. */
export const Rune = defineEntity({
  name: 'Rune',
  properties: { code: p.type(CodeType).primary(), power: p.integer().nullable() },
});

/** A Date as key, with microseconds. */
export const Tick = defineEntity({
  name: 'Tick',
  properties: { at: p.datetime(6).primary(), power: p.integer().nullable() },
});

/** A table per type: what is ordered by is in one table, the key in both. */
export const Machine = defineEntity({
  name: 'Machine',
  inheritance: 'tpt',
  properties: { id: p.integer().primary(), name: p.string() },
});
export const Press = defineEntity({ name: 'Press', extends: Machine, properties: { force: p.integer() } });

export const GAUGES = [Shop, Place, Shelf, Gauge, Plate, Rune, Tick, Machine, Press];

/** The context that `register(orm)` would keep. */
export function contextOf(orm: MikroORM): PageContext {
  const platform = orm.driver.getPlatform();
  const dates = new ExactDates();
  dates.install(platform);
  return { platform, dates };
}

/** A page as `batch(em).page()` asks for it, alone. */
export async function pageOf(
  em: EntityManager,
  context: PageContext,
  entity: { meta: EntityMetadata } | object,
  where: unknown,
  options: PlannedOptions,
): Promise<Page> {
  const { meta } = entity as { meta: EntityMetadata };
  const plan = planPage(em.getMetadata().get(meta.class as never) as never, context, where, options);
  const rows = await em.find(meta.class as never, plan.where as never, plan.options);
  const total = plan.total
    ? await em.count(meta.class as never, plan.countWhere as never, plan.countOptions)
    : undefined;
  return plan.toPage(rows, total);
}

/** Writes the tables, as SQL rows so that nothing under test has a part in it. */
export async function fillGauges(orm: MikroORM, random: Random, count: number): Promise<void> {
  const { int, pick } = random;
  const maybe = <T>(value: T): T | null => (random.chance(0.3) ? null : value);
  const connection = orm.em.getConnection();
  const insert = async (table: string, rows: readonly Record<string, unknown>[]): Promise<void> => {
    for (const row of rows) {
      const names = Object.keys(row);
      await connection.execute(
        `insert into "${table}" (${names.map(name => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')}) on conflict do nothing`,
        names.map(name => row[name]),
        'run',
      );
    }
  };
  const range = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);
  // Within one millisecond, or around the epoch, or in the year 3000: none of them is what a Date makes of it.
  const moment = (): string =>
    pick([
      `2024-02-29 12:00:00.12345${int(10)}`,
      `2024-02-29 12:00:00.12${int(10)}`,
      `1969-12-31 23:59:59.99999${int(10)}`,
      `2200-01-01 00:00:00.00000${int(4)}`,
      `0004-03-01 04:05:06`,
    ]);
  await insert(
    'shop',
    range(5).map(id => ({ id, name: maybe(pick(['east', 'west'])), opened: `${moment()}+00` })),
  );
  const shelves = range(5).flatMap(shop => range(3).map(number => ({ shop_id: shop, number })));
  await insert(
    'shelf',
    shelves.map(shelf => ({ ...shelf, label: pick(['a', 'b']), since: `${moment()}+00` })),
  );
  await insert(
    'gauge',
    range(count).map(n => {
      const shelf = maybe(pick(shelves));
      return {
        id: String(BigInt(n) + (n % 2 ? 9_007_199_254_740_990n : -9_007_199_254_740_990n)),
        rank: int(3),
        score: maybe(int(4) - 2),
        price: `${pick(['1234567890123', '-0', '7'])}.${pick(['000000000000001', '000000000000002', '5'])}`,
        discount: maybe(pick(['1.1', '-2.25', 'NaN'])),
        ratio: maybe(pick(['0.1', '0.30000000000000004', 'NaN', 'Infinity', '-Infinity', '5e-324', '-0'])),
        weight: pick(['1.1', '16777217', '0.3333333333', '-1.1']),
        at: `${moment()}+00`,
        wall: maybe(moment()),
        seen: `2024-01-01 00:00:00.12${int(10)}+00`,
        day: maybe(pick(['2024-02-29', '0001-01-01', 'infinity', '2023-12-31'])),
        hour: pick(['00:00:00', '12:00:00.123456', '12:00:00.1', '23:59:59.999999']),
        token: `${pick(['0', 'a', 'f'])}0000000-0000-4000-8000-00000000000${int(3)}`,
        flag: maybe(random.chance(0.5)),
        kind: pick(['zinc', 'ash', 'moss']),
        label: maybe(pick(['', "it's", '$1 ? -- %', 'Ünïcode \u{1f600}', '\\', '"', 'null', '{"$gt":0}', 'a\nb'])),
        title: pick(['Emma', 'emma', 'Eve', 'é']),
        code: maybe(`db:${pick(['x', 'y', 'db:x'])}`),
        big: maybe(pick(['9223372036854775807', '9007199254740993', '-5'])),
        note: maybe(pick(['n', 'm'])),
        place_city: maybe(pick(['Rome', 'Oslo'])),
        place_floor: int(2),
        shop_id: maybe(1 + int(5)),
        home_id: 1 + int(5),
        shelf_shop_id: shelf?.shop_id ?? null,
        shelf_number: shelf?.number ?? null,
        tags: '{}',
      };
    }),
  );
  await connection.execute('update gauge set twin_id = -id where id % 3 = 0 and -id in (select id from gauge)');
  await connection.execute(
    "insert into plate select row_number() over (order by id), 'plate ' || abs(id) % 3, id from gauge where id % 4 <> 0",
  );
  await insert(
    'rune',
    range(20).map(n => ({ code: `db:r${n}`, power: maybe(int(3)) })),
  );
  await insert(
    'tick',
    range(40).map(() => ({ at: `${moment()}+00`, power: maybe(int(3)) })),
  );
  await insert(
    'machine',
    range(12).map(id => ({ id, name: pick(['m', 'n']) })),
  );
  await insert(
    'press',
    range(12).map(id => ({ id, force: int(3) })),
  );
}
