import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

/* Several statements in one text may change the search path as one does. */
test('set search_path among other statements', async () => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 60_000 })], pool: { min: 1, max: 1 } });
  await orm.em
    .fork()
    .execute(
      `insert into "city" values (1, 'here'); create schema "other"; create table "other"."city" ("id" int, "name" varchar(255)); insert into "other"."city" values (1, 'there')`,
    );
  const read = async (cache: boolean): Promise<string> => (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;
  expect(await read(true)).toBe('here');
  await orm.em.fork().execute(`set search_path = "other"; select 1`);
  expect(await read(false)).toBe('there');
  expect(await read(true)).toBe('there');
});

/* A transaction gets a snapshot of its own by `set transaction` as it does by `begin`. */
test.each([
  ['set transaction', 'set transaction isolation level repeatable read'],
  ['the setting', "set local transaction_isolation = 'repeatable read'"],
])('%s isolation level', async (_title, sql) => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 60_000, inTransaction: 'hit' })] });
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  const read = async (em: typeof orm.em, cache: boolean): Promise<string> => {
    em.clear();
    return (await em.findOneOrFail(City, 1, { cache })).name;
  };
  await orm.em.fork().transactional(async em => {
    await em.execute(sql);
    expect(await read(em as never, false)).toBe('before');
    await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'after' });
    await read(orm.em.fork() as never, true);
    expect(await read(em as never, false)).toBe('before');
    expect(await read(em as never, true)).toBe('before');
  });
});
