import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* A generated column changes although no statement assigns it: RETURNING tells its new value only. */
const Visit = defineEntity({
  name: 'Visit',
  resultCache: { ttl: 60_000, partitionBy: ['region'] },
  properties: {
    id: p.integer().primary(),
    place: p.string(),
    region: p.string().generated(`(left("place", 2)) stored`).nullable(),
  },
});

test.each([
  ['an update', (orm: MikroORM) => orm.em.fork().nativeUpdate(Visit, { id: 1 }, { place: 'IT Rome' })],
  ['an upsert', (orm: MikroORM) => orm.em.fork().upsert(Visit, { id: 1, place: 'IT Rome' })],
])('a row leaves a part by way of a generated column: %s', async (_title, write) => {
  const orm = await openOrm({ entities: [Visit], extensions: [resultCache()] });
  await orm.em.fork().execute(`insert into "visit" ("id", "place") values (1, 'FR Paris'), (2, 'FR Lyon')`);
  const read = async (cache?: false): Promise<number[]> =>
    (await orm.em.fork().find(Visit, { region: 'FR' }, { ...(cache === false && { cache }), orderBy: { id: 1 } })).map(
      ({ id }) => id,
    );
  expect([await read(), await read()]).toEqual([
    [1, 2],
    [1, 2],
  ]);
  await write(orm);
  expect(await read(false)).toEqual([2]);
  expect(await read()).toEqual([2]);
});
