import type { EntityMetadata, MikroORM } from '@mikro-orm/core';
import { BatchLoaderError } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { type PageContext, type PlannedOptions, planPage } from '../../../packages/batch-loader/src/page/plan-page.ts';
import { openOrm } from '../../harness/orm.ts';
import { createRandom } from '../random.ts';
import { contextOf, fillGauges, Gauge, GAUGES, pageOf, Shelf } from './gauges.ts';

let orm: MikroORM;
let context: PageContext;
const statements: string[] = [];

beforeAll(async () => {
  orm = await openOrm({
    entities: GAUGES,
    debug: ['query'],
    colors: false,
    logger: message => statements.push(message.replace(/^.*?(select.*?) \[took.*$/s, '$1')),
  });
  context = contextOf(orm);
  await fillGauges(orm, createRandom(13), 40);
});

const metaOf = (entity: object): EntityMetadata =>
  orm.getMetadata().get((entity as { meta: EntityMetadata }).meta.class as never) as never;
const plan = (entity: object, options: PlannedOptions, where: unknown = {}) =>
  planPage(metaOf(entity), context, where, options);
const page = (entity: object, options: PlannedOptions, where: unknown = {}) =>
  pageOf(orm.em.fork(), context, entity, where, options);

describe('the arguments', () => {
  const message = (options: PlannedOptions, entity: object = Gauge): string => {
    try {
      plan(entity, options);
      return 'no error';
    } catch (error) {
      expect(error).toBeInstanceOf(BatchLoaderError);
      const { code, message: text } = error as BatchLoaderError;
      expect(code).toBe('ARGUMENT');
      return text;
    }
  };

  const size = (name: string, value: string): string =>
    `page() takes ${name} as a whole number from 0 to 2147483646, received ${value}. Leave it out to get all rows`;

  test.each<[object, string]>([
    [{ first: -1 }, size('first', '-1')],
    [{ first: 1.5 }, size('first', '1.5')],
    [{ first: Number.NaN }, size('first', 'NaN')],
    [{ first: Infinity }, size('first', 'Infinity')],
    [{ first: '10' }, size('first', '"10"')],
    [{ last: 2 ** 31 - 1 }, size('last', '2147483647')],
    [{ last: true }, size('last', 'true')],
    [{ first: 1, last: 2 }, 'page() takes first or last, received { first: 1, last: 2 }. Leave one of them out'],
    [{ limit: 5 }, 'page() takes no limit, received 5. Pass first or last instead'],
    [{ offset: 0 }, 'page() takes no offset, received 0. Pass a cursor as after or before instead'],
    [{ total: 1 }, 'page() takes total as a boolean, received 1. Pass true to have the rows counted'],
  ])('%o', (options, expected) => {
    expect(message(options as PlannedOptions)).toBe(expected);
  });

  const unheld = (what: string, remedy: string): string =>
    `page() orders by columns whose values a cursor can hold, received "${what}". ${remedy}`;

  test.each<[string, unknown, string]>([
    [
      'no object',
      'rank',
      `page() takes orderBy as an object or an array of objects, received "rank". Write { property: 'asc' }`,
    ],
    ['no property', { nope: 'asc' }, 'page() orders by properties of Gauge, received "nope". Name one of them'],
    [
      'no property of a relation',
      { shop: { nope: 'asc' } },
      'page() orders by properties of Shop, received "shop.nope". Name one of them',
    ],
    [
      'of Object',
      { constructor: 'asc' },
      'page() orders by properties of Gauge, received "constructor". Name one of them',
    ],
    [
      'no direction',
      { rank: 'up' },
      `page() takes the direction of rank as 'asc', 'desc', 1 or -1, with 'nulls first' or 'nulls last' after a word, received "up". Write 'asc', for example, or 'desc nulls last'`,
    ],
    [
      'SQL for a direction',
      { rank: 'asc; drop table gauge' },
      `page() takes the direction of rank as 'asc', 'desc', 1 or -1, with 'nulls first' or 'nulls last' after a word, received "asc; drop table gauge". Write 'asc', for example, or 'desc nulls last'`,
    ],
    [
      'to-many',
      { twins: { rank: 'asc' } },
      'page() orders by properties of which a row has one, received "twins, a to-many relation". Order by a property of the entity itself or of a to-one relation',
    ],
    [
      'an embeddable',
      { place: 'asc' },
      `page() orders by properties of an embeddable that has columns of its own, received "place". Write { place: { property: 'asc' } }; what is kept as JSON has no order`,
    ],
    [
      'JSON',
      { meta: 'asc' },
      unheld('meta, of type jsonb', 'Order by numbers, text, uuid, boolean, enum, dates or times'),
    ],
    [
      'an array',
      { tags: 'asc' },
      unheld('tags, of type text[]', 'Order by numbers, text, uuid, boolean, enum, dates or times'),
    ],
  ])('orderBy: %s', (_, orderBy, expected) => {
    expect(message({ orderBy })).toBe(expected);
  });

  test('orderBy: raw()', async () => {
    const { raw } = await import('@mikro-orm/core');
    expect(message({ orderBy: { [raw('length(title)')]: 'asc' } })).toBe(
      'page() orders by properties, whose values a cursor can hold, received "raw()". Order by a property; for an expression, declare a generated column',
    );
  });

  test('undefined and null are "not given"', () => {
    expect(message({ first: null, last: undefined, limit: undefined, total: undefined, orderBy: undefined })).toBe(
      'no error',
    );
    expect(message({ orderBy: { rank: undefined } })).toBe('no error');
  });
});

describe('what is asked for', () => {
  const asked = async (entity: object, options: PlannedOptions, where?: unknown): Promise<string> => {
    statements.length = 0;
    await page(entity, options, where);
    return statements[0]!.replace(/^select .*? from .*? (?=where|order)/s, '');
  };
  const places = async (entity: object, orderBy: unknown, index: number) =>
    (await page(entity, { orderBy })).edges[index]!.cursor;

  test('one row more, in the order and by the key', async () => {
    expect(await asked(Gauge, { first: 10, orderBy: { rank: 'desc' } }, { title: 'x' })).toBe(
      'where "g0"."title" = ? order by "g0"."rank" desc, "g0"."id" desc limit ?',
    );
    expect(plan(Gauge, { first: 10 }).options['limit']).toBe(11);
  });

  test('no size: no limit', async () => {
    expect(await asked(Gauge, {})).toBe('order by "g0"."id" asc');
    expect(plan(Gauge, {}).options).not.toHaveProperty('limit');
  });

  test('from the end: the other way round, nulls as well', async () => {
    expect(
      await asked(Gauge, { last: 1, orderBy: [{ score: 'asc nulls first' }, { rank: 'desc' }, { day: 'asc' }] }),
    ).toBe('order by "g0"."score" desc nulls last, "g0"."rank" asc, "g0"."day" desc, "g0"."id" desc limit ?');
  });

  test('where nulls go is said only if it matters', async () => {
    expect(await asked(Gauge, { orderBy: [{ rank: 'asc nulls first' }, { score: 'asc nulls last' }] })).toBe(
      'order by "g0"."rank" asc, "g0"."score" asc, "g0"."id" asc',
    );
  });

  test('what comes after the key is left out', async () => {
    expect(
      await asked(Shelf, { orderBy: [{ number: 'asc' }, { label: 'asc' }, { shop: 'desc' }, { since: 'asc' }] }),
    ).toBe('order by "s0"."number" asc, "s0"."label" asc, "s0"."shop_id" desc');
  });

  test('a place is a row where columns go one way and no null is ahead', async () => {
    const orderBy = [{ rank: 'desc' }, { at: 'desc' }];
    expect(await asked(Gauge, { after: await places(Gauge, orderBy, 3), orderBy })).toBe(
      'where ("g0"."rank", "g0"."at", "g0"."id") < (?, ?, ?) order by "g0"."rank" desc, "g0"."at" desc, "g0"."id" desc',
    );
    expect(await asked(Gauge, { last: 1, before: await places(Gauge, orderBy, 3), orderBy })).toBe(
      'where ("g0"."rank", "g0"."at", "g0"."id") > (?, ?, ?) order by "g0"."rank" asc, "g0"."at" asc, "g0"."id" asc limit ?',
    );
  });

  test('both ways: rows, with a bound for the index to begin at', async () => {
    const orderBy = [{ rank: 'asc' }, { at: 'asc' }, { id: 'desc' }];
    expect(await asked(Gauge, { after: await places(Gauge, orderBy, 3), orderBy })).toBe(
      'where ("g0"."rank", "g0"."at") >= (?, ?) and (("g0"."rank", "g0"."at") > (?, ?) or ("g0"."rank" = ? and "g0"."at" = ? and "g0"."id" < ?)) order by "g0"."rank" asc, "g0"."at" asc, "g0"."id" desc',
    );
  });

  test('nulls ahead', async () => {
    const orderBy = { score: 'asc' };
    expect(await asked(Gauge, { after: await places(Gauge, orderBy, 3), orderBy })).toBe(
      'where ((("g0"."score" > ? or "g0"."score" is null)) or ("g0"."score" = ? and "g0"."id" > ?)) order by "g0"."score" asc, "g0"."id" asc',
    );
  });

  test('at null, with nothing but nulls ahead, and with all the rest ahead', async () => {
    const last = await places(Gauge, { score: 'asc' }, 39);
    expect(await asked(Gauge, { after: last, orderBy: { score: 'asc' } })).toBe(
      'where "g0"."score" is null and "g0"."id" > ? order by "g0"."score" asc, "g0"."id" asc',
    );
    const first = await places(Gauge, { score: 'desc' }, 0);
    expect(await asked(Gauge, { after: first, orderBy: { score: 'desc' } })).toBe(
      'where ("g0"."score" is not null or ("g0"."score" is null and "g0"."id" < ?)) order by "g0"."score" desc, "g0"."id" desc',
    );
  });

  test('no place is left after null without a key', async () => {
    expect(await asked(Gauge, { after: { score: null }, orderBy: { score: 'asc' } })).toBe(
      'where 1 = 0 order by "g0"."score" asc, "g0"."id" asc',
    );
  });

  test('cursors with the same nulls: the same SQL, so that it can be one statement', async () => {
    for (const orderBy of [
      { at: 'desc' },
      [{ score: 'asc' }, { shop: { name: 'desc' } }],
      [{ code: 'desc' }, { kind: 'asc' }],
    ]) {
      const whole = await page(Gauge, { orderBy });
      const texts = new Map<string, Set<string>>();
      for (const { cursor } of whole.edges) {
        const { k } = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as { k: unknown[] };
        const nulls = JSON.stringify(k.map(value => value === null));
        texts.set(nulls, (texts.get(nulls) ?? new Set()).add(await asked(Gauge, { first: 2, after: cursor, orderBy })));
      }
      expect([...texts.values()].map(set => set.size)).toEqual(Array.from(texts, () => 1));
    }
  });

  test('the condition may be a key or several', async () => {
    const [one, two] = await orm.em.fork().find(Gauge, {}, { orderBy: { id: 1 }, limit: 2 });
    const after = { id: -(2n ** 63n) };
    for (const [where, count] of [
      [one!.id, 1],
      [[one!.id, two!.id], 2],
      [one, 1],
      [[{ id: one!.id }, { id: two!.id }], 2],
      [undefined, 40],
      [null, 40],
    ] as const) {
      expect((await page(Gauge, { after }, where)).length).toBe(count);
    }
  });

  test('the count is of the condition alone', async () => {
    const half = { rank: 1 };
    const { where, countWhere, countOptions, total } = plan(
      Gauge,
      { first: 1, after: { id: 1n }, total: true, filters: { x: true } },
      half,
    );
    expect({ countWhere, countOptions, total }).toEqual({
      countWhere: half,
      countOptions: { filters: { x: true } },
      total: true,
    });
    expect(where).not.toEqual(half);
    expect(plan(Gauge, {}).total).toBe(false);
    const one = await page(
      Gauge,
      { first: 1, after: { id: 1n }, total: true, fields: ['rank'], populate: ['shop'] },
      half,
    );
    expect(one.totalCount).toBe(await orm.em.fork().count(Gauge, half));
  });
});

describe('what the cursors need is loaded', () => {
  test.each<[string, PlannedOptions, object]>([
    ['nothing more', { orderBy: { rank: 'asc' } }, {}],
    ['columns', { fields: ['title'], orderBy: { rank: 'asc' } }, { fields: ['title', 'rank', 'id'] }],
    ['unless all are', { fields: ['*'], orderBy: { rank: 'asc' } }, {}],
    [
      'of an embeddable',
      { fields: ['title'], orderBy: { place: { city: 'asc' } } },
      { fields: ['title', 'place.city', 'id'] },
    ],
    ['that were excluded', { exclude: ['rank', 'title'], orderBy: { rank: 'asc' } }, { exclude: ['title'] }],
    ['relations', { orderBy: { twin: { home: { name: 'asc' } } } }, { populate: ['twin.home'] }],
    ['besides others', { populate: ['shelf'], orderBy: { shop: { name: 'asc' } } }, { populate: ['shelf', 'shop'] }],
    ['unless all are', { populate: ['*'], orderBy: { shop: { name: 'asc' } } }, { populate: ['*'] }],
    ['not for a key', { orderBy: [{ shop: 'asc' }, { home: { id: 'asc' } }, { shelf: 'asc' }] }, {}],
    ['but what is before the key', { orderBy: { twin: { home: { id: 'asc' } } } }, { populate: ['twin'] }],
    ['lazy properties', { orderBy: { note: 'asc' } }, { populate: ['note'] }],
  ])('%s', (_, options, expected) => {
    const { orderBy: _o, ...planned } = plan(Gauge, options).options;
    const given = Object.fromEntries(Object.entries(options).filter(([name]) => name === 'fields'));
    expect(planned).toEqual({ ...given, ...expected });
  });

  test.each([
    { fields: ['title'], orderBy: [{ place: { city: 'asc' } }, { twin: { home: { name: 'asc' } } }] },
    { exclude: ['note', 'rank', 'place'], orderBy: [{ rank: 'asc' }, { note: 'asc' }, { place: { floor: 'desc' } }] },
    { populate: false, orderBy: [{ shop: { opened: 'desc' } }, { shelf: { label: 'asc' } }] },
    { populate: ['twins'], orderBy: [{ shop: { opened: 'desc' } }, { shelf: { shop: 'asc' } }] },
    { strategy: 'select-in', orderBy: [{ shop: { opened: 'desc' } }, { shelf: { shop: 'asc' } }] },
    { strategy: 'joined', populate: ['*'], orderBy: [{ shop: { opened: 'desc' } }] },
    { disableIdentityMap: true, orderBy: [{ at: 'desc' }] },
  ] as PlannedOptions[])('and is enough: %o', async options => {
    const { orderBy } = options;
    const all = await page(Gauge, { orderBy });
    const first = await page(Gauge, { ...options, first: 15 });
    const second = await page(Gauge, { ...options, first: 15, after: first.endCursor });
    const titles = (items: Iterable<object>): unknown[] => Array.from(items, it => (it as { id: unknown }).id);
    expect([...titles(first), ...titles(second)]).toEqual(titles(all).slice(0, 30));
  });
});

describe('a page', () => {
  const orderBy = { at: 'asc' };

  test("is a GraphQL connection, and has what MikroORM's Cursor has", async () => {
    const one = await page(Gauge, { first: 2, orderBy, total: true });
    const [a, b] = one.items;
    const [start, end] = [one.from(a!), one.from(b!)];
    expect(one.edges.map(edge => ({ ...edge }))).toEqual([
      { node: a, cursor: start },
      { node: b, cursor: end },
    ]);
    expect({ ...one.pageInfo }).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: start,
      endCursor: end,
    });
    const { length, totalCount, hasNextPage, hasPrevPage, hasPreviousPage, startCursor, endCursor } = one;
    expect({ length, totalCount, hasNextPage, hasPrevPage, hasPreviousPage, startCursor, endCursor }).toEqual({
      length: 2,
      totalCount: 40,
      hasNextPage: true,
      hasPrevPage: false,
      hasPreviousPage: false,
      startCursor: start,
      endCursor: end,
    });
    expect([...one]).toEqual([a, b]);
  });

  test('without rows has no cursors', async () => {
    const none = await page(Gauge, { first: 2, orderBy }, { rank: 99 });
    expect({ ...none.pageInfo, edges: none.edges, items: none.items, total: none.totalCount }).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: null,
      endCursor: null,
      edges: [],
      items: [],
      total: undefined,
    });
  });

  test('of no size tells whether there is a row', async () => {
    expect((await page(Gauge, { first: 0, orderBy })).pageInfo).toMatchObject({
      hasNextPage: true,
      hasPreviousPage: false,
    });
    expect((await page(Gauge, { last: 0, orderBy })).pageInfo).toMatchObject({
      hasNextPage: false,
      hasPreviousPage: true,
    });
    expect((await page(Gauge, { first: 0, orderBy }, { rank: 99 })).hasNextPage).toBe(false);
  });

  test('knows what lies on the other side by its cursors: HasNextPage and HasPreviousPage of the specification', async () => {
    const all = await page(Gauge, { orderBy });
    const [after, before] = [all.edges[9]!.cursor, all.edges[20]!.cursor];
    const seen = async (options: PlannedOptions): Promise<string> => {
      const { length, hasPreviousPage, hasNextPage } = await page(Gauge, { ...options, orderBy });
      return `${hasPreviousPage ? '…' : ''}${length}${hasNextPage ? '…' : ''}`;
    };
    expect(await seen({})).toBe('40');
    expect(await seen({ after })).toBe('…30');
    expect(await seen({ before })).toBe('20…');
    expect(await seen({ after, before })).toBe('…10…');
    expect(await seen({ first: 40 })).toBe('40');
    expect(await seen({ first: 39 })).toBe('39…');
    expect(await seen({ last: 39 })).toBe('…39');
    expect(await seen({ first: 10, after, before })).toBe('…10');
    expect(await seen({ first: 9, after, before })).toBe('…9…');
    expect(await seen({ last: 10, after, before })).toBe('10…');
    expect(await seen({ last: 9, after, before })).toBe('…9…');
  });

  test('makes its cursors when they are read', async () => {
    const one = await page(Gauge, { first: 2, orderBy });
    const before = one.endCursor;
    (one.items[1] as { at: Date }).at = new Date(0);
    expect(one.endCursor).not.toBe(before);
  });
});
