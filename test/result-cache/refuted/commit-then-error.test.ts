import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* An error that PostgreSQL answers with does not mean that nothing was committed: a text may hold its own COMMIT. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });
const open = async (): Promise<MikroORM> => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 3_600_000 })] });
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  await orm.em
    .fork()
    .execute(
      `create procedure "change"() language plpgsql as $$ begin update "city" set "name" = 'after' where "id" = 1; commit; raise exception 'late'; end $$`,
    );
  return orm;
};
const read = async (orm: MikroORM, cache = true): Promise<string> =>
  (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;

test.each([
  ['several statements', `begin; update "city" set "name" = 'after' where "id" = 1; commit; select 1 / 0`],
  ['commit in the middle of a text', `update "city" set "name" = 'after' where "id" = 1; commit; select 1 / 0`],
  ['a procedure that commits', `call "change"()`],
  [
    'an anonymous block that commits',
    `do $$ begin update "city" set "name" = 'after' where "id" = 1; commit; raise exception 'late'; end $$`,
  ],
])('%s that fails after its commit', async (_title, sql) => {
  const orm = await open();
  expect([await read(orm), await read(orm)]).toEqual(['before', 'before']);
  await expect(orm.em.fork().execute(sql)).rejects.toThrow();
  expect(await read(orm, false)).toBe('after');
  expect(await read(orm)).toBe('after');
});
