import { type MikroORM, raw, Type } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { Book, ENTITIES, fillLibrary } from './library.ts';
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
