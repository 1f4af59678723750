import { deepStrictEqual } from 'node:assert/strict';
import {
  type EntityClass,
  type EntityManager,
  type EntityMetadata,
  FullTextType,
  helper,
  type MikroORM,
  PolymorphicRef,
  Reference,
  types,
  Utils,
} from '@mikro-orm/postgresql';
import { defineEntity, p } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Polymorphic } from '../../packages/result-cache/src/codec/polymorphic.ts';
import { type Codec, createCodec } from '../../packages/result-cache/src/codec/values.ts';
import {
  Animal,
  Author,
  Book,
  Copy,
  ENTITIES,
  fillLibrary,
  Imprint,
  Loan,
  Person,
  Profile,
  SIZES,
  Toy,
} from '../batch-loader/library.ts';
import { createRandom } from '../batch-loader/random.ts';
import { openOrm } from '../harness/orm.ts';

/*
 * What PostgreSQL and MikroORM's driver give comes back from the codec: rows of every type, and rows of every kind of
 * relation and inheritance, from which MikroORM then makes the same entities.
 */

const Part = defineEntity({
  name: 'Part',
  embeddable: true,
  properties: {
    label: p.string(),
    made: p.datetime().nullable(),
    big: p.bigint().nullable(),
    bytes: p.blob().nullable(),
    secret: p.string().hidden().nullable(),
  },
});

/** A column of each of MikroORM's types. */
const Everything = defineEntity({
  name: 'Everything',
  properties: {
    id: p.integer().primary(),
    date: p.date().nullable(),
    time: p.time().nullable(),
    datetime: p.datetime(6).nullable(),
    bigint: p.bigint().nullable(),
    bigintText: p.bigint('string').nullable(),
    blob: p.blob().nullable(),
    uint8array: p.uint8array().nullable(),
    array: p.array().nullable(),
    numbers: p.array(Number, String).columnType('int[]').nullable(),
    enumArray: p.enum(['a', 'b', 'c']).array().nullable(),
    enum: p.enum(['round', 'flat']).nullable(),
    nativeEnum: p.enum(['glad', 'sad']).nativeEnumName('everything_mood').nullable(),
    json: p.json<unknown>().nullable(),
    textJson: p.json<unknown>().columnType('json').nullable(),
    integer: p.integer().nullable(),
    smallint: p.smallint().nullable(),
    tinyint: p.tinyint().nullable(),
    mediumint: p.mediumint().columnType('integer').nullable(),
    float: p.float().nullable(),
    double: p.double().nullable(),
    boolean: p.boolean().nullable(),
    decimal: p.decimal('string').columnType('numeric').nullable(),
    decimalNumber: p.decimal('number').precision(20).scale(4).nullable(),
    character: p.character().length(4).nullable(),
    string: p.string().nullable(),
    uuid: p.uuid().nullable(),
    text: p.text().nullable(),
    interval: p.interval().nullable(),
    unknown: p.unknown().columnType('inet').nullable(),
    search: p.type(FullTextType).nullable(),
    inline: () => p.embedded(Part).nullable(),
    object: () => p.embedded(Part).object().nullable(),
    list: () => p.embedded(Part).array().nullable(),
  },
});

let orm: MikroORM;
let codec: Codec;

beforeAll(async () => {
  const random = createRandom(7);
  orm = await openOrm({ entities: [...ENTITIES, Part, Everything] });
  await fillLibrary(orm, () => random.next());
  codec = createCodec(polymorphicOf(orm));
});

/** As the seam has it. */
function polymorphicOf({ em }: MikroORM): Polymorphic {
  const byName = new Map<string, EntityClass>();
  const names = new Map<EntityClass, string>();
  for (const { className, class: target } of em.getMetadata().getAll().values() as Iterable<EntityMetadata>) {
    byName.set(className, target as EntityClass);
    names.set(target as EntityClass, className);
  }
  return {
    isReference: value => value instanceof PolymorphicRef,
    makeReference: (discriminator, id) => new PolymorphicRef(discriminator, id),
    nameOf: target => names.get(target),
    classOf: name => byName.get(name),
  };
}

function through(value: unknown): unknown {
  const encoded = codec.encode(value);
  if (encoded === undefined) {
    throw new Error('refused');
  }
  return codec.decode(encoded.format, encoded.bytes);
}

function comesBack<T>(value: T): T {
  const decoded = through(value);
  deepStrictEqual(decoded, value);
  return decoded as T;
}

const execute = (sql: string, params: readonly unknown[] = []): Promise<Record<string, unknown>[]> =>
  orm.driver.getConnection().execute(sql, params as unknown[], 'all');

describe('types of PostgreSQL', () => {
  test.for([
    ['smallint', '-32768', '0', '32767'],
    ['integer', '-2147483648', '-1', '2147483647'],
    ['bigint', '-9223372036854775808', '9007199254740993', '9223372036854775807'],
    ['numeric', 'NaN', 'Infinity', '-Infinity', '0.10', '123456789012345678901234567890.5'],
    ['real', '-0', 'NaN', 'Infinity', '-Infinity', '1.1', '1e-40'],
    ['double precision', '-0', 'NaN', 'Infinity', '-Infinity', '0.1', '5e-324', '1.7976931348623157e308'],
    ['money', '12.34'],
    ['boolean', 'true', 'false'],
    [
      'text',
      '',
      'NULL',
      `it's`,
      '\\',
      '\u0001',
      'ü€😀\u{10ffff}',
      '\ufeffbyte order mark, and so long that it is dropped if one lets it be',
      'x'.repeat(70_000),
    ],
    ['varchar(9)', '', 'a'],
    ['char(4)', '', 'ab'],
    ['"char"', 'a'],
    ['name', 'a name'],
    ['bytea', '', '\\x00ff', `\\x${'ab'.repeat(40_000)}`],
    ['date', '2026-11-21', 'infinity', '-infinity', '0044-03-15 BC', '5874897-12-31'],
    ['time', '00:00', '24:00', '12:34:56.789012'],
    ['timetz', '12:34:56.789012+05:30'],
    ['timestamp', '2026-11-21 12:34:56.789012', 'infinity', '4713-01-01 BC', '294276-12-31'],
    ['timestamptz', '2026-11-21 12:34:56.789012+02', '-infinity', '1883-11-18 12:03:57-05'],
    ['interval', '1 year 2 months -3 days 04:05:06.789', '0', '-1 second'],
    ['uuid', '00000000-0000-4000-8000-000000000001'],
    ['inet', '::1', '10.0.0.0/8'],
    ['cidr', '10.0.0.0/8'],
    ['macaddr', '08:00:2b:01:02:03'],
    ['macaddr8', '08:00:2b:01:02:03:04:05'],
    [
      'json',
      'null',
      '-0',
      '1e999',
      '"\\ud800"',
      '{"__proto__": {"x": 1}, "constructor": "c", "toJSON": 1}',
      '[{"a": [-0.0, 1e-7]}, [], {}, ""]',
      '{"a": 1, "a": 2}',
      '12345678901234567890',
    ],
    [
      'jsonb',
      'null',
      '-0',
      '"x"',
      '{"__proto__": {"x": 1}, "constructor": "c", "hasOwnProperty": 1}',
      '[[[[{"": null}]]], false]',
    ],
    ['jsonpath', '$.a'],
    ['xml', '<a/>'],
    ['point', '(1,-2.5)', '(-0,Infinity)'],
    ['line', '{1,2,3}'],
    ['lseg', '[(1,2),(3,4)]'],
    ['box', '(1,2),(3,4)'],
    ['path', '[(1,2),(3,4)]'],
    ['polygon', '((1,2),(3,4),(5,6))'],
    ['circle', '<(1,2),3>'],
    ['bit(3)', '101'],
    ['varbit', '', '1'],
    ['tsvector', `'a':1 'b'`],
    ['tsquery', 'a & b'],
    ['int4range', '[1,5)', 'empty'],
    ['numrange', '(,1.5]'],
    ['tstzrange', '[2026-01-01,)'],
    ['int4multirange', '{[1,2),[5,6)}'],
    ['oid', '42'],
    ['regclass', 'pg_class'],
    ['xid8', '42'],
    ['pg_lsn', '16/B374D848'],
    ['smallint[]', '{}', '{1,NULL}'],
    ['integer[]', '{{1,2},{3,4}}', '[2:3]={1,2}'],
    ['bigint[]', '{9223372036854775807,NULL}'],
    ['numeric[]', '{NaN,0.10}'],
    ['real[]', '{-0,NaN,Infinity}'],
    ['double precision[]', '{-0,NaN,-Infinity}'],
    ['boolean[]', '{t,f,NULL}'],
    ['text[]', '{}', '{"",NULL,"NULL","{","\\"","ü"}'],
    ['bytea[]', '{"\\\\x00ff",NULL,"\\\\x"}'],
    ['date[]', '{2026-11-21,infinity}'],
    ['timestamp[]', '{2026-11-21 12:34:56.789012,NULL}'],
    ['timestamptz[]', '{2026-11-21 12:34:56.789012+02}'],
    ['interval[]', '{1 day,NULL}'],
    ['uuid[]', '{00000000-0000-4000-8000-000000000001}'],
    ['inet[]', '{::1}'],
    ['json[]', '{"{\\"a\\": -0}",NULL,"null"}'],
    ['jsonb[]', '{"{\\"a\\": [1]}"}'],
    ['point[]', '{"(1,2)","(-0,3)"}'],
    ['everything_mood', 'glad'],
    ['everything_mood[]', '{glad,sad}'],
  ])('%s', async ([type, ...literals]) => {
    for (const literal of [...literals, null]) {
      const rows = await execute(`select n, ?::text::${type} as value from generate_series(1, 3) n`, [literal]);
      expect(rows).toHaveLength(3);
      comesBack(rows);
    }
  });

  test('rows of the catalog, which have the odd types', async () => {
    const rows = await execute('select * from pg_type order by oid');
    expect(rows.length).toBeGreaterThan(500);
    comesBack(rows);
    comesBack(await execute('select * from pg_attribute limit 2000'));
    comesBack(await execute('select * from pg_proc limit 1000'));
    comesBack(await execute('select * from pg_settings'));
    comesBack(await execute('select * from pg_statistic limit 300'));
    comesBack(await execute('select 1 where false'));
    comesBack(await execute('select from generate_series(1, 3)'));
  });
});

describe("MikroORM's types", () => {
  test('there is a column of each', () => {
    const meta = orm.getMetadata(Everything);
    const mapped = new Set(meta.props.map(({ customType, runtimeType }) => customType?.constructor ?? runtimeType));
    const declared = Object.keys(Everything.properties ?? meta.properties);
    for (const [name, type] of Object.entries(types)) {
      expect(declared.includes(name) || mapped.has(type), name).toBe(true);
    }
  });

  const json = fc.jsonValue({ stringUnit: 'grapheme' }).map(value => withoutNul(value));
  const text = fc.string({ unit: 'grapheme', maxLength: 90 }).map(value => value.replaceAll('\0', ''));
  const instant = fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true });
  // MikroORM writes others as names of columns; those of the database are above.
  const finite = { noNaN: true, noDefaultInfinity: true };
  const bytes = fc.uint8Array({ maxLength: 300 });
  const part = fc.record({
    label: text,
    made: fc.option(instant),
    big: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    secret: fc.option(text),
  });
  const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 6 });
  const row = fc.record({
    date: maybe(instant.map(date => date.toISOString().slice(0, 10))),
    time: maybe(instant.map(date => date.toISOString().slice(11, 23))),
    datetime: maybe(instant),
    bigint: maybe(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    bigintText: maybe(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
    blob: maybe(bytes.map(value => Buffer.from(value))),
    uint8array: maybe(bytes),
    array: maybe(fc.array(text, { maxLength: 4 })),
    numbers: maybe(fc.array(fc.integer(), { maxLength: 4 })),
    enumArray: maybe(fc.array(fc.constantFrom('a' as const, 'b' as const), { maxLength: 3 })),
    enum: maybe(fc.constantFrom('round' as const, 'flat' as const)),
    nativeEnum: maybe(fc.constantFrom('glad' as const, 'sad' as const)),
    json: maybe(json),
    textJson: maybe(json),
    integer: maybe(fc.integer()),
    smallint: maybe(fc.integer({ min: -32_768, max: 32_767 })),
    tinyint: maybe(fc.integer({ min: 0, max: 127 })),
    mediumint: maybe(fc.integer()),
    float: maybe(fc.float(finite)),
    double: maybe(fc.double(finite)),
    boolean: maybe(fc.boolean()),
    decimal: maybe(
      fc.oneof(
        fc.constant('NaN'),
        fc.bigInt().map(value => `${value}.50`),
      ),
    ),
    decimalNumber: maybe(fc.integer()),
    character: maybe(fc.string({ unit: 'grapheme-ascii', maxLength: 4 })),
    string: maybe(text),
    uuid: maybe(fc.uuid()),
    text: maybe(text),
    interval: maybe(fc.integer({ min: -1e6, max: 1e6 }).map(seconds => `${seconds} seconds`)),
    unknown: maybe(fc.ipV4()),
    search: maybe(fc.constantFrom('some words', 'and more')),
    inline: maybe(part),
    object: maybe(part),
    list: maybe(fc.array(part, { maxLength: 3 })),
  });

  test('random rows, of the connection and of the driver, and the entities made of them', async () => {
    const connection = orm.em.fork();
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), async rows => {
        await connection.nativeDelete(Everything, {});
        const written = orm.em.fork();
        for (const [id, data] of rows.entries()) {
          written.create(Everything, { id, ...data } as never);
        }
        await written.flush();
        comesBack(await execute('select * from everything order by id'));
        comesBack(await orm.driver.find(Everything, {}, { orderBy: { id: 'asc' } }));
        await sameEntities(em => em.find(Everything, {}, { orderBy: { id: 'asc' } }));
      }),
      { numRuns: 40 },
    );
  });
});

describe('rows of the driver, and the entities made of them', () => {
  const inOrder = { orderBy: { id: 'asc' } } as const;

  test.for<readonly [name: string, read: (em: EntityManager) => Promise<object[]>]>([
    ['inline embeddable, self reference', em => em.find(Author, {}, inOrder)],
    [
      'populated, select-in',
      em =>
        em.find(Author, {}, { ...inOrder, populate: ['books', 'mentor', 'tags', 'profile'], strategy: 'select-in' }),
    ],
    [
      'populated, joined',
      em =>
        em.find(Author, {}, { ...inOrder, populate: ['books.copies.loans', 'friends', 'ranking'], strategy: 'joined' }),
    ],
    ['lazy properties', em => em.find(Author, {}, { ...inOrder, populate: ['bio', 'notes'] as never })],
    ['arrays, JSON, enums, dates', em => em.find(Book, {}, { ...inOrder, filters: false })],
    ['some columns', em => em.find(Book, {}, { ...inOrder, fields: ['title', 'author.name'] })],
    ['bigint key', em => em.find(Profile, {}, inOrder)],
    ['by another unique column', em => em.find(Imprint, {}, { ...inOrder, populate: ['publisher'] })],
    ['composite keys', em => em.find(Copy, {}, { orderBy: { book: 'asc', number: 'asc' }, populate: ['marks'] })],
    ['references to composite, Date and custom keys', em => em.find(Loan, {}, inOrder)],
    [
      'the same, joined',
      em => em.find(Loan, {}, { ...inOrder, populate: ['copy.book', 'day', 'slip', 'borrower'], strategy: 'joined' }),
    ],
    ['single-table inheritance', em => em.find(Person, {}, inOrder)],
    ['single-table inheritance, with its collections', em => em.find(Person, {}, { ...inOrder, populate: ['loans'] })],
    ['table-per-type inheritance', em => em.find(Animal, {}, { ...inOrder, populate: ['toys'] })],
    ['polymorphic, not joined', em => em.find(Toy, {}, inOrder)],
    [
      'polymorphic, select-in',
      em => em.find(Toy, {}, { ...inOrder, populate: ['about', 'animal'], strategy: 'select-in', filters: false }),
    ],
    [
      'polymorphic, joined',
      em => em.find(Toy, {}, { ...inOrder, populate: ['about', 'animal'], strategy: 'joined', filters: false }),
    ],
    ['polymorphic in a joined row', em => em.find(Animal, {}, { ...inOrder, populate: ['toys'], strategy: 'joined' })],
  ])('%s', async ([, read]) => {
    expect(await sameEntities(read)).toBeGreaterThan(0);
  });

  test('references are there, and so are the hidden classes of joined rows', async () => {
    const toys = comesBack(await orm.driver.find(Toy, {}, inOrder)) as Record<string, unknown>[];
    expect(toys.some(toy => toy['about'] instanceof PolymorphicRef)).toBe(true);
    const read: unknown[] = [];
    await readThrough(
      em => em.find(Toy, {}, { ...inOrder, populate: ['about'], strategy: 'joined', filters: false }),
      rows => read.push(...rows),
    );
    expect(read).toHaveLength(SIZES.toys);
    const joined = read.map(toy => (toy as { about: object | null }).about).filter(about => about !== null);
    expect(new Set(joined.map(about => about.constructor))).toEqual(new Set([Author.class, Book.class]));
    expect(joined.every(about => Object.hasOwn(about, 'constructor'))).toBe(true);
  });
});

/** JSON without what PostgreSQL has not: NUL, and -0, which jsonb makes 0 on its way in. */
function withoutNul(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(String.raw`\u0000`, ''));
}

/** Reads with a driver whose rows go through the codec. MikroORM changes the rows it gets: `look` gets others. */
async function readThrough<T>(read: (em: EntityManager) => Promise<T>, look: (rows: unknown[]) => void): Promise<T> {
  const { driver } = orm;
  const find = driver.find.bind(driver);
  driver.find = (async (...args: Parameters<typeof find>) => {
    const rows = comesBack(await find(...args));
    look(through(rows) as unknown[]);
    return rows;
  }) as typeof driver.find;
  try {
    return await read(orm.em.fork());
  } finally {
    Reflect.deleteProperty(driver, 'find');
  }
}

/** Reads entities as MikroORM does, and through the codec. @returns how many rows went through it */
async function sameEntities(read: (em: EntityManager) => Promise<object[]>): Promise<number> {
  let rows = 0;
  const plain = orm.em.fork();
  const expected = (await read(plain)).map(identity);
  await readThrough(
    async em => {
      deepStrictEqual((await read(em)).map(identity), expected);
      deepStrictEqual(managed(em), managed(plain));
      deepStrictEqual(changes(em), changes(plain));
    },
    found => (rows += found.length),
  );
  return rows;
}

/** All that an EntityManager has, with others in place of the entities in it: graphs have cycles. */
function managed(em: EntityManager): unknown {
  const described = [...em.getUnitOfWork().getIdentityMap()].map(entity => {
    const { __meta, __loadedProperties } = helper(entity);
    const properties = __meta.props.map(({ name }) => [name, shown(Reflect.get(entity, name))]);
    return [identity(entity), properties, em.getComparator().prepareEntity(entity), [...__loadedProperties]] as const;
  });
  // What is populated at the same time arrives in any order.
  return new Map(described.map(([of, ...rest]) => [of.join(), rest]));
}

/** None, but for what MikroORM itself finds changed in what it has just read. */
function changes(em: EntityManager): unknown {
  em.getUnitOfWork().computeChangeSets();
  return em
    .getUnitOfWork()
    .getChangeSets()
    .map(({ entity, type, payload }) => [identity(entity), type, Object.keys(payload)]);
}

function shown(value: unknown): unknown {
  const target: unknown = Utils.isScalarReference(value) ? value.unwrap() : Reference.unwrapReference(value as object);
  if (Utils.isCollection<object>(target)) {
    return [target.isInitialized(), target.getItems(false).map(identity)];
  }
  if (Utils.isEntity<object>(target, true)) {
    return identity(target);
  }
  if (Array.isArray(target)) {
    return target.map(shown);
  }
  // Embedded: it knows its owner.
  return target instanceof Part.class ? ['Part', Object.entries(target)] : target;
}

function identity(entity: object): readonly unknown[] {
  return [entity.constructor.name, helper(entity).getSerializedPrimaryKey(), helper(entity).isInitialized()];
}
