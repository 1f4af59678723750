import { type MikroORM, Type } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { Tag } from './library.ts';
import type { Random } from './random.ts';

/*
 * One entity with a column of every kind that a condition may compare with, for the tests of `batch(em)`; the library has
 * every kind of relation and inheritance.
 */

/** A custom type that SQL converts: a length in cm here, in mm there. */
class LengthType extends Type<number, string> {
  override convertToDatabaseValueSQL(key: string): string {
    return `(${key}::int * 10)`;
  }
  override convertToJSValueSQL(key: string): string {
    return `(${key} / 10)`;
  }
  override getColumnType(): string {
    return 'integer';
  }
  override compareAsType(): string {
    return 'number';
  }
}

export const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: { town: p.string().nullable(), floor: p.integer().nullable() },
});

/** Composite key of two columns of its own. */
export const Shelf = defineEntity({
  name: 'Shelf',
  primaryKeys: ['aisle', 'number'],
  properties: {
    aisle: p.string().length(10).primary(),
    number: p.integer().primary(),
    label: p.string(),
    samples: () => p.oneToMany(Sample).mappedBy('shelf'),
  },
});

export const Sample = defineEntity({
  name: 'Sample',
  filters: {
    /** On unless a call says otherwise; its parameter is the fork's. */
    tenant: { name: 'tenant', cond: (args: { tenant: number }) => ({ tenant: args.tenant }), default: true },
    /** Off unless a call asks for it, with a parameter of its own. */
    least: { name: 'least', cond: (args: { whole: number }) => ({ whole: { $gte: args.whole } }), default: false },
  },
  properties: {
    id: p.integer().primary(),
    tenant: p.integer(),
    small: p.smallint().nullable(),
    whole: p.integer().nullable(),
    indexed: p.integer().nullable().index(),
    big: p.bigint().nullable(),
    bigText: p.bigint('string').nullable(),
    exact: p.decimal('string').precision(30).scale(6).nullable(),
    price: p.decimal('number').precision(10).scale(2).nullable(),
    real: p.float().columnType('real').nullable(),
    double: p.double().nullable(),
    flag: p.boolean().nullable(),
    name: p.string().nullable(),
    code: p.character().length(4).nullable(),
    nick: p.string().columnType('citext').nullable(),
    note: p.text().lazy().nullable(),
    moment: p.datetime(6).nullable(),
    momentText: p.string().columnType('timestamptz(6)').nullable(),
    local: p.datetime().columnType('timestamp(3)').nullable(),
    day: p.date().nullable(),
    time: p.time().nullable(),
    uid: p.uuid().nullable(),
    bytes: p.blob().nullable(),
    json: p.json<unknown>().nullable(),
    words: p.array().nullable(),
    numbers: p.array(Number, String).columnType('int[]').nullable(),
    kind: p.enum(['round', 'flat']).nullable(),
    mood: p.enum(['glad', 'sad', `it's`]).nativeEnumName('mood').nullable(),
    length: p.type(LengthType).nullable(),
    place: () => p.embedded(Place).nullable(),
    origin: () => p.embedded(Place).object().nullable(),
    nameLength: p
      .integer()
      .persist(false)
      .formula(columns => `length(${columns['name' as never]})`),
    shelf: () => p.manyToOne(Shelf).ref().nullable(),
    parent: () => p.manyToOne(Sample).ref().nullable(),
    children: () => p.oneToMany(Sample).mappedBy('parent'),
    labels: () => p.manyToMany(Tag).owner(),
  },
});

export const SAMPLES = [Place, Shelf, Sample];

/** Values of each column: those in the table, which conditions are made of as well. */
export const POOLS = {
  small: [-32_768, -1, 0, 1, 2, 32_767],
  whole: [-2_147_483_648, -3, 0, 1, 2, 3, 4, 2_147_483_647],
  indexed: [0, 1, 2, 3, 4],
  big: [-9_223_372_036_854_775_808n, -1n, 0n, 1n, 9_007_199_254_740_993n, 9_223_372_036_854_775_807n],
  bigText: ['-9223372036854775808', '0', '7', '9007199254740993', '9223372036854775807'],
  exact: ['0.000000', '0.100000', '-0.100000', '123456789012345678.123456', '1.000000', '10.000000'],
  price: [0, 0.1, 1.5, 19.99, -3],
  // Binary fractions, so that a sum does not depend on the order of its terms.
  real: [0, 0.5, -1.25, 1024, 3],
  double: [0, 0.5, -1.25, 1e21, 3],
  name: [
    'plain',
    '',
    'Plain',
    `it's`,
    'a "quoted" one',
    'back\\slash',
    'end\\',
    '$1',
    '?',
    '??',
    '\\?',
    '-- no comment',
    '/* nor */',
    '{a,b}',
    'NULL',
    'null',
    '100%',
    'under_score',
    '(x)',
    'zwölf ☃ 😀',
    ' blank ',
    'line\nbreak',
  ],
  code: ['ab', 'abcd', 'AB', 'a', ''],
  nick: ['Ann', 'ann', 'BOB', 'bob', 'o`neill'],
  moment: [
    new Date('2024-03-31T01:30:00.123Z'),
    new Date('1969-12-31T23:59:59.999Z'),
    new Date('2000-01-01T00:00:00.000Z'),
    new Date('2024-10-27T01:30:00.000Z'),
  ],
  momentText: ['2024-01-01 00:00:00.123456+00', '2024-01-01 00:00:00.123457+00', '2024-06-01 12:00:00+00'],
  day: ['2024-02-29', '1999-12-31', '2024-01-01'],
  time: ['00:00:00', '12:30:00', '23:59:59'],
  uid: [
    '00000000-0000-4000-8000-000000000001',
    'ffffffff-ffff-4fff-bfff-ffffffffffff',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  ],
  bytes: ['', '00ff', '5c27', '7b612c627d'].map(hex => Buffer.from(hex, 'hex')),
  json: [
    { a: 1 },
    { a: 2, b: { c: `it's ?` } },
    { a: '1' },
    { list: [1, 2, 'x'] },
    [1, 2],
    { b: { c: 'plain' }, flag: true },
    {},
  ],
  words: [[], ['a'], ['a', 'b'], ['{a,b}', `it's`], ['NULL', '', '\\'], ['?', '"']],
  numbers: [[], [1], [1, 2], [3, -2_147_483_648]],
  kind: ['round', 'flat'],
  mood: ['glad', 'sad', `it's`],
  length: [0, 1, 25, 300],
  town: ['Ulm', `L'Aquila`, 'Köln', '?'],
  floor: [0, 1, 2],
  aisle: ['A', `B'`, '?'],
  number: [1, 2, 3],
} as const;

export const SAMPLE_ROWS = 48;

/** Writes the samples, as SQL so that nothing under test has a part in it. The library must be there. */
export async function fillSamples(orm: MikroORM, random: Random): Promise<void> {
  const connection = orm.driver.getConnection();
  const insert = async (table: string, row: Record<string, unknown>): Promise<void> => {
    const columns = Object.keys(row);
    await connection.execute(
      `insert into "${table}" (${columns.map(name => `"${name}"`).join(', ')}) values (${columns.map(() => '?').join(', ')}) on conflict do nothing`,
      Object.values(row),
      'run',
    );
  };
  const maybe = <T>(pool: readonly T[]): T | null => (random.chance(0.15) ? null : random.pick(pool));
  const array = (list: readonly (string | number)[] | null): string | null =>
    list && `{${list.map(item => `"${String(item).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
  const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
  for (const aisle of POOLS.aisle) {
    for (const number of POOLS.number) {
      await insert('shelf', { aisle, number, label: `shelf ${aisle}${number}` });
    }
  }
  for (let id = 1; id <= SAMPLE_ROWS; id++) {
    const shelved = random.chance(0.8);
    const placed = random.chance(0.8);
    const length = maybe(POOLS.length);
    await insert('sample', {
      id,
      tenant: 1 + (id % 2),
      small: maybe(POOLS.small),
      whole: maybe(POOLS.whole),
      indexed: maybe(POOLS.indexed),
      big: maybe(POOLS.big),
      big_text: maybe(POOLS.bigText),
      exact: maybe(POOLS.exact),
      price: maybe(POOLS.price),
      real: maybe(POOLS.real),
      double: maybe(POOLS.double),
      flag: maybe([true, false]),
      name: maybe(POOLS.name),
      code: maybe(POOLS.code),
      nick: maybe(POOLS.nick),
      note: maybe(['a note', `note's`]),
      moment: maybe(POOLS.moment),
      moment_text: maybe(POOLS.momentText),
      local: maybe(POOLS.moment)?.toISOString() ?? null,
      day: maybe(POOLS.day),
      time: maybe(POOLS.time),
      uid: maybe(POOLS.uid),
      bytes: maybe(POOLS.bytes),
      json: json(maybe<unknown>(POOLS.json)),
      words: array(maybe(POOLS.words)),
      numbers: array(maybe(POOLS.numbers)),
      kind: maybe(POOLS.kind),
      mood: maybe(POOLS.mood),
      length: length === null ? null : length * 10,
      place_town: placed ? maybe(POOLS.town) : null,
      place_floor: placed ? maybe(POOLS.floor) : null,
      origin: json(random.chance(0.2) ? null : { town: random.pick(POOLS.town), floor: random.pick(POOLS.floor) }),
      shelf_aisle: shelved ? random.pick(POOLS.aisle) : null,
      shelf_number: shelved ? random.pick(POOLS.number) : null,
      parent_id: id > 3 ? maybe([1, 2, 3]) : null,
    });
    for (let label = 0; label < random.int(3); label++) {
      await insert('sample_labels', { sample_id: id, tag_id: 1 + random.int(7) });
    }
  }
  await connection.execute('analyze');
}
