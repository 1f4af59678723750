import { inspect } from 'node:util';
import type { EntityMetadata, MikroORM } from '@mikro-orm/core';
import { BatchLoaderError } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PageContext, PlannedOptions } from '../../../packages/batch-loader/src/page/plan-page.ts';
import { openOrm } from '../../harness/orm.ts';
import { createRandom, type Random } from '../random.ts';
import { Code, contextOf, fillGauges, Gauge, GAUGES, pageOf, Rune, Shelf, Shop, Tick } from './gauges.ts';

let orm: MikroORM;
let context: PageContext;

beforeAll(async () => {
  orm = await openOrm({ entities: GAUGES });
  context = contextOf(orm);
  await fillGauges(orm, createRandom(12), 40);
});

const page = (entity: object, options: PlannedOptions) => pageOf(orm.em.fork(), context, entity, {}, options);
const encode = (content: unknown): string => Buffer.from(JSON.stringify(content)).toString('base64url');
const decode = (cursor: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Record<string, unknown>;
const ids = (items: Iterable<object>): unknown[] => Array.from(items, item => (item as { id: unknown }).id);
const failure = async (options: PlannedOptions, entity: object = Gauge): Promise<string> => {
  const error = await page(entity, options).then(
    () => undefined,
    (it: unknown) => it,
  );
  expect(error).toBeInstanceOf(BatchLoaderError);
  const { code, message } = error as BatchLoaderError;
  return `${code}: ${message}`;
};

describe('what a cursor is', () => {
  test('a version, its order, and the text of the values', async () => {
    const first = await page(Shop, { first: 1, orderBy: { opened: 'desc' } });
    const { v, o, k } = decode(first.endCursor!);
    expect({ v, k }).toEqual({
      v: 1,
      k: [expect.stringMatching(/^2200-01-01T00:00:00\.00000\dZ$/), expect.any(String)],
    });
    expect(o).toMatch(/^[\w-]{12}$/);
  });

  test('one row has one cursor, read or made again', async () => {
    const one = await page(Gauge, { first: 5, orderBy: [{ label: 'asc' }, { at: 'desc' }] });
    expect(one.edges.map(edge => edge.cursor)).toEqual(one.items.map(item => one.from(item)));
    expect(one.startCursor).toBe(one.edges[0]!.cursor);
    expect(one.endCursor).toBe(one.edges[4]!.cursor);
  });

  test('equal orders have equal cursors, however they are written', async () => {
    const cursors = await Promise.all(
      [
        { rank: 'asc', score: 'desc' },
        [{ rank: 1 }, { score: -1 }],
        [{ rank: 'ASC NULLS LAST' }, { score: 'desc nulls first' }, { id: 'desc' }],
      ].map(async orderBy => (await page(Gauge, { first: 3, orderBy })).endCursor),
    );
    expect(new Set(cursors).size).toBe(1);
  });
});

describe('what is taken for a place', () => {
  const orderBy = [{ rank: 'asc' }, { at: 'desc' }];

  test.each<[string, (end: Awaited<ReturnType<typeof page>>) => unknown]>([
    ['a cursor', it => it.endCursor],
    ['a page', it => it],
    ['an object with an endCursor', it => ({ endCursor: it.endCursor })],
    ['an entity', it => it.items.at(-1)],
    ['an object with the properties of the order and the key', it => ({ ...(it.items.at(-1) as object) })],
  ])('%s', async (_, place) => {
    const all = await page(Gauge, { orderBy });
    const first = await page(Gauge, { first: 7, orderBy });
    const next = await page(Gauge, { first: 7, after: place(first) as string, orderBy });
    expect(ids(next)).toEqual(ids(all).slice(7, 14));
  });

  test('as `before`, a page is its start', async () => {
    const all = await page(Gauge, { orderBy });
    const last = await page(Gauge, { last: 7, orderBy });
    expect(ids(await page(Gauge, { last: 7, before: last, orderBy }))).toEqual(ids(all).slice(-14, -7));
  });

  test('an object without the key: after all rows that are equal to it', async () => {
    const rows = await orm.em.fork().find(Gauge, { rank: { $gt: 1 } });
    const next = await page(Gauge, { after: { rank: 1 }, orderBy: { rank: 'asc' } });
    expect(new Set(ids(next))).toEqual(new Set(ids(rows)));
    expect(next.length).toBeGreaterThan(3);
  });

  test('an object with values of a custom type, a relation by key and a Date', async () => {
    const { code, id } = (await orm.em.fork().findOneOrFail(Gauge, { code: { $ne: null } }))!;
    const byCode = await page(Gauge, { after: { code, id }, orderBy: { code: 'asc nulls first' } });
    expect(
      byCode.items.length + (await page(Gauge, { before: { code, id }, orderBy: { code: 'asc nulls first' } })).length,
    ).toBe(39);
    const byShop = await page(Gauge, { after: { home: 3 }, orderBy: { home: 'asc' } });
    expect(byShop.length).toBe(await orm.em.fork().count(Gauge, { home: { $gt: 3 } }));
    const bySeen = await page(Gauge, {
      after: { seen: new Date('2024-01-01T00:00:00.124Z') },
      orderBy: { seen: 'asc' },
    });
    expect(bySeen.length).toBe(
      await orm.em.fork().count(Gauge, { seen: { $gt: new Date('2024-01-01T00:00:00.124Z') } }),
    );
  });

  test('null and undefined are none, as GraphQL sends them; so is a page without items', async () => {
    const empty = await pageOf(orm.em.fork(), context, Gauge, { rank: 99 }, { first: 2, orderBy });
    for (const after of [null, undefined, empty]) {
      const one = await page(Gauge, { first: 2, after, last: null, before: null, orderBy });
      expect(one.hasPrevPage).toBe(false);
      expect(one.length).toBe(2);
    }
  });
});

describe("MikroORM's Cursor", () => {
  const orders: readonly (readonly object[])[] = [
    [{ id: 'asc' }],
    [{ rank: 'asc' }, { id: 'desc' }],
    [{ score: 'desc nulls last' }, { seen: 'asc' }, { id: 'asc' }],
    [{ price: 'asc' }, { flag: 'desc' }, { id: 'asc' }],
    [{ code: 'asc' }, { id: 'asc' }],
    [{ place: { city: 'asc', floor: 'desc' } }, { id: 'asc' }],
    [{ shop: { name: 'desc' } }, { shop: { id: 'asc' } }, { id: 'asc' }],
    [{ home: 'asc' }, { big: 'asc' }, { id: 'asc' }],
    [{ id: 'desc' }, { rank: 'asc' }],
    [{ day: 'asc' }, { weight: 'desc' }, { ratio: 'asc' }, { id: 'asc' }],
  ];

  test.each(orders.map(order => [inspect(order, { depth: 4, breakLength: Infinity }), order] as const))(
    'is read, as it is or as text: %s',
    async (_, orderBy) => {
      const find = () =>
        orm.em.fork().findByCursor(Gauge, { first: 9, orderBy: orderBy as never, populate: ['shop'] as never });
      const rows = ids(await page(Gauge, { orderBy }));
      const cursor = await find();
      expect(ids(cursor.items)).toEqual(rows.slice(0, 9));
      for (const after of [cursor, cursor.endCursor]) {
        expect(ids(await page(Gauge, { first: 9, after, orderBy }))).toEqual(rows.slice(9, 18));
      }
    },
  );

  test('of another number of values is none of this order', async () => {
    const cursor = await orm.em.fork().findByCursor(Gauge, { first: 9, orderBy: { id: 'asc' } });
    expect(
      await failure({ after: cursor, orderBy: [{ id: 'asc' }].concat({ rank: 'asc' } as never).toReversed() }),
    ).toBe(
      'CURSOR: page() was given a cursor of another entity or orderBy. Pass a startCursor or endCursor of the same entity and orderBy, unchanged',
    );
  });
});

describe('what is no cursor is an error, and no SQL', () => {
  const remedy = 'Pass a startCursor or endCursor of the same entity and orderBy, unchanged';
  const orderBy = [{ score: 'asc' }, { at: 'asc' }];
  let good: Record<string, unknown>;

  beforeAll(async () => {
    good = decode((await page(Gauge, { last: 1, orderBy: [{ score: 'asc nulls first' }, { at: 'asc' }] })).endCursor!);
    good = { ...decode((await page(Gauge, { first: 1, orderBy })).endCursor!) };
  });

  test.each<[string, () => unknown, string]>([
    ['empty', () => '', 'that is empty'],
    ['not base64url', () => '**', 'that is cut off or changed'],
    ['of base64 with padding', () => `${encode(good)}=`, 'that is cut off or changed'],
    ['cut off', () => encode(good).slice(0, -3), 'that is cut off or changed'],
    ['not JSON', () => Buffer.from('hello').toString('base64url'), 'that is cut off or changed'],
    ['not UTF-8', () => Buffer.from([0x22, 0xff, 0x22]).toString('base64url'), 'that is cut off or changed'],
    ['over-long', () => 'a'.repeat(70_000), 'of more than 65536 characters'],
    ['deeply nested', () => Buffer.from('['.repeat(40_000)).toString('base64url'), 'that is cut off or changed'],
    ['a number', () => 5, 'that is a number'],
    ['a list', () => [1, 2], 'that is a list'],
    ['JSON null', () => encode(null), 'that is none'],
    ['JSON of a string', () => encode('x'), 'that is none'],
    ['without values', () => encode({ v: 1, o: good['o'] }), 'that is none'],
    ['with more in it', () => encode({ ...good, x: 1 }), 'that is none'],
    [
      'with __proto__ in it',
      () => Buffer.from(JSON.stringify(good).replace('{', '{"__proto__":{"x":1},')).toString('base64url'),
      'that is none',
    ],
    ['of another version', () => encode({ ...good, v: 2 }), 'of another version'],
    ['of another order', () => encode({ ...good, o: 'AAAAAAAAAAAA' }), 'of another entity or orderBy'],
    ['with values that are no list', () => encode({ ...good, k: { length: 3 } }), 'that is none'],
    ['with too many values', () => encode({ ...good, k: [null, null, '1', '2'] }), 'of 4 values instead of 3'],
    ['with no values', () => encode({ ...good, k: [] }), 'of 0 values instead of 3'],
    ['with an operator', () => withValue(0, { $gt: 0 }), 'whose value number 1 is not one of its column'],
    ['with a list', () => withValue(0, ['1']), 'whose value number 1 is not one of its column'],
    ['with a number instead of its text', () => withValue(0, 1), 'whose value number 1 is not one of its column'],
    ['with SQL', () => withValue(0, '1) or 1=1 --'), 'whose value number 1 is not one of its column'],
    [
      'with an integer that is too large',
      () => withValue(0, '2147483648'),
      'whose value number 1 is not one of its column',
    ],
    ['with null where none can be', () => withValue(2, null), 'whose value number 3 is not one of its column'],
    [
      'with a day that is none',
      () => withValue(1, '2023-02-29T00:00:00.000000Z'),
      'whose value number 2 is not one of its column',
    ],
    [
      'with a moment of no precision',
      () => withValue(1, '2023-02-28'),
      'whose value number 2 is not one of its column',
    ],
    [
      "like MikroORM's, with an operator",
      () => encode([{ $gt: 0 }, 'x']),
      'whose value number 1 is not one of its column',
    ],
    [
      "like MikroORM's, with a value its type refuses",
      () => encode([1, 'x']),
      'whose value of at is none that its column can be compared with',
    ],
    [
      "like MikroORM's, with null where none can be",
      () => encode([1, null]),
      'whose value number 2 is not one of its column',
    ],
  ])('%s', async (_, make, what) => {
    expect(await failure({ after: make() as string, orderBy })).toBe(
      `CURSOR: page() was given a cursor ${what}. ${remedy}`,
    );
    expect(await failure({ before: make() as string, orderBy })).toBe(
      `CURSOR: page() was given a cursor ${what}. ${remedy}`,
    );
  });

  const withValue = (index: number, value: unknown): string =>
    encode({ ...good, k: (good['k'] as unknown[]).with(index, value) });

  test('of another entity, another column or another direction', async () => {
    const after = (await page(Gauge, { first: 1, orderBy: { id: 'asc' } })).endCursor;
    const foreign = `CURSOR: page() was given a cursor of another entity or orderBy. ${remedy}`;
    expect(await failure({ after, orderBy: { id: 'desc' } })).toBe(foreign);
    expect(await failure({ after, orderBy: { rank: 'asc' } })).toBe(foreign);
    expect(await failure({ after, orderBy: { id: 'asc' } }, Shop)).toBe(foreign);
  });

  test('an entity whose column is not loaded', async () => {
    const partial = await orm.em.fork().findOneOrFail(Gauge, { rank: { $gte: 0 } }, { fields: ['id'] });
    expect(await failure({ after: partial, orderBy: { rank: 'asc' } })).toBe(
      `CURSOR: page() was given a cursor of an entity or object without rank: it has to be loaded, or given. ${remedy}`,
    );
  });

  test('a value too long for a cursor is an error when its cursor is read, not before', async () => {
    const em = orm.em.fork();
    await em.begin();
    const [gauge] = await em.find(Gauge, {}, { limit: 1, orderBy: { id: 1 } });
    await em.nativeUpdate(Gauge, { id: gauge!.id }, { label: 'x'.repeat(70_000) });
    em.clear();
    const one = await pageOf(em, context, Gauge, { id: gauge!.id }, { orderBy: { label: 'asc' } });
    expect(one.length).toBe(1);
    expect(() => one.endCursor).toThrow('of more than 65536 characters, as its row has a value that long');
    await em.rollback();
  });
});

describe('fuzz', () => {
  const CASES = 3_000;
  const orders: readonly (readonly [object, readonly object[]])[] = [
    [Gauge, [{ rank: 'asc' }]],
    [Gauge, [{ score: 'desc' }, { price: 'asc' }]],
    [Gauge, [{ ratio: 'asc' }, { weight: 'desc' }]],
    [Gauge, [{ at: 'asc' }, { wall: 'desc' }, { day: 'asc' }]],
    [Gauge, [{ hour: 'asc' }, { token: 'asc' }, { flag: 'asc' }, { kind: 'desc' }]],
    [Gauge, [{ label: 'asc' }, { code: 'desc' }, { discount: 'asc' }]],
    [Gauge, [{ big: 'asc' }, { shop: { name: 'asc', opened: 'desc' } }, { shelf: 'asc' }]],
    [Gauge, [{ place: { city: 'asc', floor: 'desc' } }, { twin: 'asc' }]],
    [Shelf, [{ since: 'desc' }]],
    [Rune, [{ power: 'asc' }]],
    [Tick, [{ power: 'desc' }]],
  ];

  const HOSTILE: readonly unknown[] = [
    { $gt: 0 },
    { $ne: null },
    ['1'],
    [],
    {},
    null,
    true,
    0,
    -1.5,
    1e300,
    '',
    'x',
    "'",
    "'; drop table gauge; --",
    '?',
    '$1',
    ':x',
    '\0',
    '\ud800',
    'NaN',
    'Infinity',
    '-Infinity',
    'infinity',
    '1e400',
    '1e-400',
    '1e+308',
    '-0',
    '00',
    '9223372036854775808',
    '99999999999999999999999',
    '1'.repeat(2_000),
    '2024-02-30',
    '0000-01-01',
    '99999-01-01',
    '24:00:00',
    '25:00:00',
    '2024-02-28T23:59:60.000000Z',
    '9999-12-31T23:59:59.999999Z',
    '2024-01-01 00:00:00+99',
    '2024-01-01 00:00:00.5+00',
    'zinc',
    'gold',
    'true',
    't',
    '{}',
    'null',
    '00000000-0000-4000-8000-000000000000',
    '00000000-0000-4000-8000-00000000000g',
    'constructor',
    '__proto__',
    'a'.repeat(20_000),
  ];

  /** A change to what is in the cursor, or to its text. */
  function corrupted(cursor: string, others: readonly string[], random: Random): string {
    const content = decode(cursor) as { v: unknown; o: unknown; k: unknown[] };
    const place = random.int(content.k.length);
    switch (random.int(9)) {
      case 0:
        return cursor.slice(0, random.int(cursor.length));
      case 1: {
        const at = random.int(cursor.length);
        return cursor.slice(0, at) + random.pick('aZ09-_=+/ é\0'.split('')) + cursor.slice(at + random.int(2));
      }
      case 2: {
        const bytes = Buffer.from(cursor, 'base64url');
        bytes[random.int(bytes.length)]! ^= 1 << random.int(8);
        return bytes.toString('base64url');
      }
      case 3:
        return random.pick(others);
      case 4:
        return encode(content.k.map(value => (random.chance(0.3) ? random.pick(HOSTILE) : value)));
      case 5:
        return encode({ ...content, [random.pick(['v', 'o', 'k', 'x', '__proto__'])]: random.pick(HOSTILE) });
      case 6:
        return encode({ ...content, k: content.k.slice(0, place) });
      default:
        return encode({ ...content, k: content.k.with(place, random.pick(HOSTILE)) });
    }
  }

  test(
    `${CASES} corrupted cursors: the documented error or a page, never an error of the database`,
    { timeout: 300_000 },
    async () => {
      const random = createRandom();
      const cursors = await Promise.all(
        orders.map(async ([entity, orderBy]) => (await page(entity, { orderBy })).edges.map(edge => edge.cursor)),
      );
      const outcomes = { pages: 0, errors: 0 };
      // Were one statement refused, PostgreSQL would refuse all that follow.
      await orm.em.fork().transactional(async em => {
        for (let index = 0; index < CASES; index++) {
          const which = random.int(orders.length);
          const [entity, orderBy] = orders[which]!;
          const cursor = corrupted(random.pick(cursors[which]!), cursors.flat(), random);
          em.clear();
          try {
            const side = random.pick(['after', 'before']);
            const one = await pageOf(em, context, entity, {}, { first: 3, [side]: cursor, orderBy });
            expect(one.length).toBeLessThanOrEqual(3);
            outcomes.pages++;
          } catch (error) {
            const content = Buffer.from(cursor, 'base64url').toString();
            const name = `seed ${random.seed}, case ${index}: ${(entity as { meta: EntityMetadata }).meta.className} ${inspect(orderBy)} ${content}`;
            expect(`${(error as BatchLoaderError).code}`, `${name}\n${String(error)}`).toBe('CURSOR');
            outcomes.errors++;
          }
        }
      });
      // Both happen, or the fuzz has not reached far.
      expect(outcomes.pages).toBeGreaterThan(CASES / 20);
      expect(outcomes.errors).toBeGreaterThan(CASES / 4);
    },
  );
});

test('a Code of a client is compared as its database value', async () => {
  const runes = await page(Rune, { after: { code: new Code('r1') }, orderBy: { code: 'asc' } });
  expect(runes.length).toBe(await orm.em.fork().count(Rune, { code: { $gt: new Code('r1') } }));
});
