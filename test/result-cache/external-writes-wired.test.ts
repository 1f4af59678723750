import { setTimeout as sleep } from 'node:timers/promises';
import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { externalWrites, memoryStore, redisStore, resultCache, type CacheStore } from '@mikrokit/result-cache';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { startRedis } from '../harness/redis.ts';

const City = defineEntity({
  name: 'City',
  resultCache: { ttl: 600_000 },
  properties: { id: p.integer().primary(), name: p.string() },
});

const INTERVAL = 50;

/** Two processes' worth of ORMs, and psql. */
async function open(store: () => CacheStore): Promise<{ one: MikroORM; two: MikroORM; psql: Client }> {
  const { url } = await openDatabase();
  const plain = await openOrm({ url, entities: [City] });
  await plain.schema.create();
  const external = externalWrites({ tables: ['city'], interval: INTERVAL });
  const psql = new Client({ connectionString: url });
  await psql.connect();
  closeAfter(() => psql.end());
  for (const sql of external.up()) {
    await psql.query(sql);
  }
  const orm = (): Promise<MikroORM> =>
    openOrm({
      url,
      entities: [City],
      extensions: [resultCache({ store: store(), externalWrites: external, timeout: 1_000 })],
    });
  const [one, two] = [await orm(), await orm()];
  await one.em.fork().insert(City, { id: 1, name: 'Ulm' });
  return { one, two, psql };
}

const nameIn = async (orm: MikroORM): Promise<string | undefined> => (await orm.em.fork().findOne(City, 1))?.name;

const stores: Record<string, () => Promise<() => CacheStore>> = {
  'a memory store for each process': () => Promise.resolve(() => memoryStore()),
  'one Redis': async () => {
    const redis = await startRedis();
    closeAfter(() => redis.stop());
    return () => redisStore(redis.client(), { grace: 1 });
  },
};

describe.each(Object.entries(stores))('%s', (_name, make) => {
  test('what psql writes is served after a look at the log', async () => {
    const { one, two, psql } = await open(await make());
    expect([await nameIn(one), await nameIn(two)]).toEqual(['Ulm', 'Ulm']);
    await psql.query(`update city set name = 'Bonn'`);
    await expect.poll(async () => [await nameIn(one), await nameIn(two)]).toEqual(['Bonn', 'Bonn']);
  });

  test('what another process writes is served after a look, too', async () => {
    const { one, two } = await open(await make());
    expect([await nameIn(one), await nameIn(two)]).toEqual(['Ulm', 'Ulm']);
    await one.em.fork().nativeUpdate(City, { id: 1 }, { name: 'Kiel' });
    expect(await nameIn(one)).toBe('Kiel');
    await expect.poll(() => nameIn(two)).toBe('Kiel');
  });

  test('looking at the log makes nothing invalid', async () => {
    const { one } = await open(await make());
    await sleep(INTERVAL * 6);
    await nameIn(one);
    await sleep(INTERVAL * 6);
    using recorder = recordQueries(one);
    await nameIn(one);
    expect(recorder.take().filter(({ sql }) => sql.includes('"city"'))).toEqual([]);
  });
});
