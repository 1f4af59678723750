import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { startRedis } from '../harness/redis.ts';

const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

async function tables(): Promise<{ url: string; plain: MikroORM }> {
  const { url } = await openDatabase();
  const plain = await openOrm({ url, entities: [City] });
  await plain.schema.create();
  await plain.em.fork().insert(City, { id: 1, name: 'Ulm' });
  return { url, plain };
}

test('50 identical misses at once are one query, and each has entities of its own', async () => {
  const { url } = await tables();
  const orm = await openOrm({ url, entities: [City], extensions: [resultCache()] });
  await orm.em.fork().count(City);
  using recorder = recordQueries(orm);
  const found = await Promise.all(
    Array.from({ length: 50 }, () => orm.em.fork().findOneOrFail(City, 1, { cache: 60_000 })),
  );
  expect(recorder.take().map(({ sql }) => sql)).toEqual([
    'select "c0".* from "city" as "c0" where "c0"."id" = ? limit ?',
  ]);
  expect(new Set(found).size).toBe(50);
});

test('a miss that began after a write does not take the rows of one that began before it', async () => {
  const { url, plain } = await tables();
  const orm = await openOrm({ url, entities: [City], extensions: [resultCache()] });
  await orm.em.fork().count(City);
  const holder = plain.em.fork();
  await holder.begin();
  // The first miss waits behind the lock of its table.
  await holder.execute('lock table "city" in access exclusive mode');
  const first = orm.em.fork().findOneOrFail(City, 1, { cache: 60_000 });
  await sleep(50);
  const write = orm.em.fork().nativeUpdate(City, { id: 1 }, { name: 'Bonn' });
  await sleep(50);
  await holder.commit();
  await write;
  const second = await orm.em.fork().findOneOrFail(City, 1, { cache: 60_000 });
  expect(second.name).toBe('Bonn');
  await first;
});

test('those that wait for a miss whose query fails ask the database themselves', async () => {
  const { url, plain } = await tables();
  const orm = await openOrm({ url, entities: [City], extensions: [resultCache()] });
  await orm.em.fork().count(City);
  const abort = new AbortController();
  const holder = plain.em.fork();
  await holder.begin();
  await holder.execute('lock table "city" in access exclusive mode');
  const aborted = orm.em.fork().findOne(City, 1, { cache: 60_000, signal: abort.signal });
  const waiting = orm.em.fork().findOne(City, 1, { cache: 60_000 });
  await sleep(50);
  abort.abort();
  await expect(aborted).rejects.toThrow();
  await holder.commit();
  expect((await waiting)?.name).toBe('Ulm');
});

test('a process that dies while it fills is noticed, and another one fills', async () => {
  const redis = await startRedis();
  closeAfter(() => redis.stop());
  const { url, plain } = await tables();
  const holder = plain.em.fork();
  const child = fork(new URL('./fixtures/reads-one-city.ts', import.meta.url), [url, redis.url], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--conditions=@mikrokit/source'],
  });
  closeAfter(async () => void child.kill('SIGKILL'));
  await once(child, 'message');
  await holder.begin();
  await holder.execute('lock table "city" in access exclusive mode');
  child.send('read');
  const client = new Redis(redis.url, { maxRetriesPerRequest: 1 });
  closeAfter(async () => client.disconnect());
  while ((await client.keys('mikrokit:l:*')).length === 0) {
    await sleep(5);
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  await holder.commit();
  const orm = await openOrm({
    url,
    entities: [City],
    extensions: [resultCache({ store: redisStore(client, { grace: 1 }), timeout: 1_000, maxWait: 10_000 })],
  });
  await orm.em.fork().count(City);
  const before = performance.now();
  expect((await orm.em.fork().findOneOrFail(City, 1, { cache: 60_000 })).name).toBe('Ulm');
  // The lease of the dead process lasts for a second.
  expect(performance.now() - before).toBeLessThan(5_000);
  // What it has read is filled in the background.
  using recorder = recordQueries(orm);
  await expect
    .poll(async () => {
      await orm.em.fork().findOneOrFail(City, 1, { cache: 60_000 });
      return recorder.take();
    })
    .toEqual([]);
});
