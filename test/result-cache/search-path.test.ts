import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { type ResultCache, resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';

/** The same table in two schemas; which of them a bare name is, the session decides. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

async function open(): Promise<{ orm: MikroORM; cache: ResultCache }> {
  const { url } = await openDatabase();
  const plain = await openOrm({ url, entities: [City] });
  await plain.schema.create();
  await plain.em.fork().execute('create schema "other"; create table "other"."city" as table "city"');
  await plain.em.fork().execute(`insert into "city" values (1, 'Ulm'); insert into "other"."city" values (1, 'Bonn')`);
  const cache = resultCache();
  return { orm: await openOrm({ url, entities: [City], extensions: [cache] }), cache };
}

const nameIn = async (orm: MikroORM, schema?: string): Promise<string | undefined> =>
  (await orm.em.fork().findOne(City, 1, { cache: 60_000, ...(schema === undefined ? {} : { schema }) }))?.name;

test('schemas are kept apart', async () => {
  const { orm } = await open();
  expect([await nameIn(orm), await nameIn(orm, 'other')]).toEqual(['Ulm', 'Bonn']);
  await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'Kiel' }, { schema: 'other' });
  expect([await nameIn(orm), await nameIn(orm, 'other')]).toEqual(['Ulm', 'Kiel']);
});

test('a write in a transaction with another search path', async () => {
  const { orm } = await open();
  expect([await nameIn(orm), await nameIn(orm, 'other')]).toEqual(['Ulm', 'Bonn']);
  await orm.em.fork().transactional(async em => {
    await em.execute('set local search_path to "other"');
    await em.execute(`update city set name = 'Kiel'`);
  });
  expect([await nameIn(orm), await nameIn(orm, 'other')]).toEqual(['Ulm', 'Kiel']);
  await orm.em.fork().transactional(async em => {
    await em.execute(`select set_config('search_path', 'other', true)`);
    await em.execute(`update city set name = 'Jena'`);
  });
  expect([await nameIn(orm), await nameIn(orm, 'other')]).toEqual(['Ulm', 'Jena']);
});

test('a search path that is set for a whole session turns the cache off, and says so', async () => {
  const { orm, cache } = await open();
  await nameIn(orm);
  await orm.em.fork().execute('set search_path to "other"');
  const { cacheable, reason } = await cache.explain(orm.em.fork(), City, 1, { cache: 60_000 });
  expect({ cacheable, reason }).toEqual({ cacheable: false, reason: 'a statement has changed search_path' });
});

test.each(['role', 'timezone'])('so does another %s', async setting => {
  const { orm, cache } = await open();
  await nameIn(orm);
  await orm.em
    .fork()
    .transactional(em => em.execute(`set local ${setting} to ${setting === 'role' ? 'none' : "'UTC'"}`));
  expect((await cache.explain(orm.em.fork(), City, 1, { cache: 60_000 })).cacheable).toBe(true);
  await orm.em.fork().execute(`set ${setting} to ${setting === 'role' ? 'none' : "'Europe/Berlin'"}`);
  const { reason } = await cache.explain(orm.em.fork(), City, 1, { cache: 60_000 });
  expect(reason).toBe(`a statement has changed ${setting}`);
});

test('a session context with a search path is not cached', async () => {
  const { orm } = await open();
  const read = async (): Promise<string | undefined> => {
    const em = orm.em.fork();
    em.setSessionContext({ variables: { search_path: 'other' } });
    return (await em.findOne(City, 1, { cache: 60_000 }))?.name;
  };
  expect(await read()).toBe('Bonn');
  await orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'Kiel' }, { schema: 'other' });
  expect(await read()).toBe('Kiel');
});
