import { type MikroORM, raw, Type } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { Author, Book, ENTITIES, fillLibrary } from './library.ts';
import { createRandom } from './random.ts';

/* What the differential test of `batch(em)` has found, each as small as it gets. */

let orm: MikroORM;
beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader()] });
  await fillLibrary(orm, createRandom(1).next);
});

describe('in a transaction, which has one connection', () => {
  test('the types of several new shapes are asked for at once, and not mixed up', async () => {
    const compared = {
      'upper(@.title)': ['', ' '],
      '@.price + 0': ['-1.5', '-2'],
      'coalesce(@.published, now())': ['1990-01-01', '1991-01-01'],
      '@.id::text || @.genre': ['', ' '],
    };
    const counts = await orm.em.fork().transactional(async em =>
      Promise.all(
        Object.entries(compared).flatMap(([expression, values]) =>
          values.map((value, index) => {
            const key = raw(alias => expression.replaceAll('@', alias));
            return batch(em).count(Book, { [key]: { $gt: value }, id: { $lte: 5 + index } } as never, {
              filters: false,
            });
          }),
        ),
      ),
    );
    expect(counts).toEqual([5, 6, 5, 6, 5, 6, 5, 6]);
  });
});

test('a merged statement that PostgreSQL does not take leaves the transaction as it is', async () => {
  const found = await orm.em.fork().transactional(async em => {
    const b = batch(em);
    return Promise.all(
      [0, 1, 2].map(name =>
        b.find(
          Author,
          { friends: { name: `author ${name}` }, id: { $gt: name } },
          { populateWhere: 'infer', orderBy: { id: 'asc' } },
        ),
      ),
    );
  });
  const alone = await Promise.all(
    [0, 1, 2].map(name =>
      orm.em
        .fork()
        .find(Author, { friends: { name: `author ${name}` }, id: { $gt: name } }, { orderBy: { id: 'asc' } }),
    ),
  );
  expect(found.map(list => list.map(({ id }) => id))).toEqual(alone.map(list => list.map(({ id }) => id)));
});

describe('with disableIdentityMap', () => {
  test('equal calls share no entity', async () => {
    const b = batch(orm.em.fork());
    const find = (): Promise<object[]> => b.find(Book, { id: 3 }, { filters: false, disableIdentityMap: true });
    const [one, other] = await Promise.all([find(), find()]);
    expect([one.length, other.length]).toEqual([1, 1]);
    expect(one[0] === other[0]).toBe(false);
  });
});

describe('a type that SQL converts', () => {
  class Centimetres extends Type<number, number> {
    override convertToJSValueSQL(key: string): string {
      return `(${key} / 10)`;
    }
    override getColumnType(): string {
      return 'integer';
    }
  }
  const Rod = defineEntity({
    name: 'Rod',
    properties: { id: p.integer().primary(), box: p.integer(), length: p.type(Centimetres) },
  });

  test('is converted in an aggregate as well', async () => {
    const rods = await openOrm({ entities: [Rod], extensions: [batchLoader()] });
    await rods.em.getConnection().execute('insert into rod values (1, 1, 250), (2, 1, 70), (3, 2, 30)');
    const b = batch(rods.em.fork());
    expect(await b.max(Rod, 'length', { box: 1 })).toBe(25);
    expect(await Promise.all([1, 2].map(box => b.min(Rod, 'length', { box })))).toEqual([7, 3]);
  });
});

describe('a row whose parent a filter hides', () => {
  const Shop = defineEntity({
    name: 'Shop',
    filters: { open: { name: 'open', cond: { open: true }, default: true } },
    properties: { id: p.integer().primary(), open: p.boolean() },
  });
  const Sale = defineEntity({
    name: 'Sale',
    properties: { id: p.integer().primary(), amount: p.integer(), shop: () => p.manyToOne(Shop).ref() },
  });

  test('is neither counted nor summed up, as it is not found', async () => {
    const shops = await openOrm({ entities: [Shop, Sale], extensions: [batchLoader()] });
    await shops.em.getConnection().execute(`
      insert into shop values (1, true), (2, false);
      insert into sale values (1, 10, 1), (2, 20, 2);
    `);
    const em = shops.em.fork();
    const b = batch(em);
    expect([(await em.find(Sale, {})).length, await em.count(Sale, {})]).toEqual([1, 1]);
    expect(await Promise.all([1, 2].map(id => b.exists(Sale, { id })))).toEqual([true, false]);
    expect(await Promise.all([1, 2].map(id => b.sum(Sale, 'amount', { id })))).toEqual([10, null]);
    expect(await b.max(Sale, 'amount')).toBe(10);
    expect(await b.max(Sale, 'amount', {}, { filters: false })).toBe(20);
  });
});

test('a subquery beside an or is not asked with the values of another call', async () => {
  // PostgreSQL tests it twice, by hash tables of which it forgets to fill one anew.
  const { url } = await openDatabase();
  const library = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader()] });
  await library.schema.create();
  await fillLibrary(library, createRandom(77).next);
  const where = ([one, motto, other]: readonly number[]): object => ({
    $or: [
      { tags: { $some: { weight: one } } },
      { $and: [{ profile: { motto: `motto ${motto}` } }, { tags: { $some: { weight: other } } }] },
    ],
  });
  const asked = [
    [0, 6, 0],
    [2, 5, 0],
    [2, 4, 1],
    [2, 4, 0],
    [0, 2, 1],
  ];
  const options = { orderBy: { id: 'asc' } } as const;
  const alone = [];
  for (const values of asked) {
    alone.push((await library.em.fork().findOne(Author, where(values), options))?.id);
  }
  const b = batch(library.em.fork());
  const among = await Promise.all(asked.map(values => b.findOne(Author, where(values), options)));
  expect(among.map(author => author?.id)).toEqual(alone);
});
