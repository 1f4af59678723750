import { inspect } from 'node:util';
import type { EntityMetadata, MikroORM } from '@mikro-orm/core';
import { beforeAll, expect, test } from 'vitest';
import type { PageContext } from '../../../packages/batch-loader/src/page/plan-page.ts';
import { openOrm } from '../../harness/orm.ts';
import { createRandom, type Random } from '../random.ts';
import { contextOf, fillGauges, Gauge, GAUGES, pageOf, Press, Rune, Shelf, Tick } from './gauges.ts';

/*
 * The oracle of pages: walked through one after the other, they are the rows of one `em.find()` in the same order, each
 * once, from the first to the last and from the last to the first.
 */

const WALKS = Number(process.env['MIKROKIT_WALKS'] ?? 120);

let orm: MikroORM;
let context: PageContext;

beforeAll(async () => {
  orm = await openOrm({ entities: GAUGES });
  context = contextOf(orm);
  await fillGauges(orm, createRandom(11), 60);
});

type Path = readonly string[];
const nest = (path: Path, value: unknown): object =>
  path.reduceRight((inner: unknown, name) => ({ [name]: inner }), value) as object;

const ORDERS: readonly { entity: object; key: readonly Path[]; paths: readonly Path[]; wheres: readonly unknown[] }[] =
  [
    {
      entity: Gauge,
      key: [['id']],
      paths: [
        ...[
          'id rank score price discount ratio weight at wall seen day hour token flag kind label title code big note',
          'shop home twin',
        ].flatMap(names => names.split(' ').map(name => [name])),
        ['place', 'city'],
        ['place', 'floor'],
        ['shop', 'name'],
        ['shop', 'opened'],
        ['shop', 'id'],
        ['home', 'name'],
        ['home', 'opened'],
        ['twin', 'at'],
        ['twin', 'score'],
        ['twin', 'home', 'opened'],
        ['twin', 'shop'],
        ['twin', 'place', 'city'],
        ['plate', 'text'],
        ['plate', 'gauge'],
        ['twin', 'plate', 'text'],
        ['shelf', 'label'],
        ['shelf', 'number'],
        ['shelf', 'shop'],
        ['shelf'],
      ],
      wheres: [
        {},
        undefined,
        { rank: { $gt: 0 } },
        { $or: [{ score: null }, { title: 'Emma' }] },
        { shop: { name: 'east' } },
      ],
    },
    {
      entity: Shelf,
      key: [['shop'], ['number']],
      paths: [['shop'], ['number'], ['label'], ['since'], ['shop', 'opened'], ['shop', 'name']],
      wheres: [{}, { label: 'a' }],
    },
    { entity: Rune, key: [['code']], paths: [['code'], ['power']], wheres: [{}] },
    { entity: Tick, key: [['at']], paths: [['at'], ['power']], wheres: [{}] },
    { entity: Press, key: [['id']], paths: [['id'], ['name'], ['force']], wheres: [{}, { name: 'm' }] },
  ];

const DIRECTIONS = [
  'asc',
  'desc',
  'ASC',
  'DESC',
  1,
  -1,
  'asc nulls first',
  'asc nulls last',
  'desc nulls first',
  'desc nulls last',
] as const;

function randomWalk(random: Random) {
  const { entity, key, paths, wheres } = random.chance(0.7) ? ORDERS[0]! : random.pick(ORDERS);
  const columns = Array.from({ length: 1 + random.int(3) }, () => ({
    path: random.pick(paths),
    direction: random.pick(DIRECTIONS),
  }));
  // Columns that were there before decide nothing; a composite key is two.
  const names = columns.map(({ path }) =>
    path.join('.') === 'shelf' ? ['shelf.shop', 'shelf.number'] : [path.join('.')],
  );
  const last = columns.findLast((_, index) =>
    names[index]!.some(name => !names.slice(0, index).flat().includes(name)),
  )!;
  const down = /desc|-1/i.test(String(last.direction));
  return {
    entity: entity as { meta: EntityMetadata },
    where: random.pick(wheres),
    orderBy: columns.map(({ path, direction }) => nest(path, direction)),
    // The oracle's: the key as the last column goes.
    wholeOrder: [
      ...columns.map(({ path, direction }) => nest(path, direction)),
      ...key.map(path => nest(path, down ? 'desc' : 'asc')),
    ],
    size: 1 + random.int(random.pick([3, 10, 70])),
  };
}

const keyOf = (entity: object): string =>
  inspect((entity as { __helper: { getPrimaryKeys(): unknown } }).__helper.getPrimaryKeys());

test(`${WALKS} random walks, there and back`, { timeout: 600_000 }, async () => {
  const random = createRandom();
  for (let walk = 0; walk < WALKS; walk++) {
    const { entity, where, orderBy, wholeOrder, size } = randomWalk(random);
    const name = `seed ${random.seed}, walk ${walk}: ${entity.meta.className} ${inspect({ where, orderBy, size }, { depth: 9, breakLength: Infinity })}`;
    try {
      const rows = await orm.em
        .fork()
        .find(entity.meta.class as never, (where ?? {}) as never, { orderBy: wholeOrder as never });
      const expected = rows.map(keyOf);
      const pages = Math.max(1, Math.ceil(expected.length / size));
      const there: string[] = [];
      let after: string | undefined;
      for (let page = 1; ; page++) {
        const one = await pageOf(orm.em.fork(), context, entity, where, {
          first: size,
          after,
          orderBy,
          total: page === 1,
        });
        there.push(...one.items.map(keyOf));
        expect({ next: one.hasNextPage, previous: one.hasPreviousPage, total: one.totalCount }).toEqual({
          next: page < pages,
          previous: page > 1,
          total: page === 1 ? expected.length : undefined,
        });
        if (!one.hasNextPage) {
          break;
        }
        after = one.endCursor!;
      }
      expect(there).toEqual(expected);

      const back: string[] = [];
      let before: string | undefined;
      for (let page = 1; ; page++) {
        const one = await pageOf(orm.em.fork(), context, entity, where, { last: size, before, orderBy });
        back.unshift(...one.items.map(keyOf));
        expect({ next: one.hasNextPage, previous: one.hasPreviousPage }).toEqual({
          next: page > 1,
          previous: page < pages,
        });
        if (!one.hasPreviousPage) {
          break;
        }
        before = one.startCursor!;
      }
      expect(back).toEqual(expected);

      if (rows.length > 0) {
        // Any two rows as the ends of a range.
        const whole = await pageOf(orm.em.fork(), context, entity, where, { orderBy });
        const [from, to] = [random.int(rows.length), random.int(rows.length)];
        const [start, end] = [from, to].map(index => whole.edges[index]!.cursor);
        const between = expected.slice(from + 1, Math.max(from + 1, to));
        const range = { after: start, before: end, orderBy };
        for (const [options, wanted] of [
          [{}, between],
          [{ first: size }, between.slice(0, size)],
          [{ last: size }, between.slice(-size)],
        ] as const) {
          const some = await pageOf(orm.em.fork(), context, entity, where, { ...range, ...options });
          expect(some.items.map(keyOf)).toEqual(wanted);
        }
      }
    } catch (error) {
      (error as Error).message = `${name}\n${(error as Error).message}`;
      throw error;
    }
  }
});
