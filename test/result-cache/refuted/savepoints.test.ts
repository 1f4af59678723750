import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* A savepoint may be made by one of several statements in a text, and hide another of the same name. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

test.each([
  [
    'several statements in one text',
    [
      'savepoint "s"',
      `update "city" set "name" = 'after' where "id" = 1`,
      'savepoint "s"; select 1',
      'rollback to savepoint "s"',
    ],
  ],
  [
    'a name that is folded',
    ['savepoint Sp', `update "city" set "name" = 'after' where "id" = 1`, 'savepoint "sp"', 'rollback to SP'],
  ],
  [
    'an error within a savepoint',
    ['savepoint a', `update "city" set "name" = 'after' where "id" = 1`, 'savepoint b', 'rollback to b', 'release a'],
  ],
])('savepoints: %s', async (_title, statements) => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  const read = async (cache: boolean): Promise<string> => (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;
  expect([await read(true), await read(true)]).toEqual(['before', 'before']);
  await orm.em.fork().transactional(async em => {
    for (const sql of statements) {
      await em.execute(sql);
    }
  });
  expect(await read(false)).toBe('after');
  expect(await read(true)).toBe('after');
});
