import { setTimeout as sleep } from 'node:timers/promises';
import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { startRedis } from '../harness/redis.ts';

/** Two releases of one program, during a deploy: the newer one partitions visits by their traveller. */
const properties = { id: p.integer().primary(), traveller: p.integer(), note: p.string() };
const Old = defineEntity({ name: 'Visit', properties });
const New = defineEntity({ name: 'Visit', properties, resultCache: { ttl: 600_000, partitionBy: ['traveller'] } });

const notesOf = async (orm: MikroORM, traveller: number): Promise<string[]> =>
  (await orm.em.fork().find(New, { traveller }, { orderBy: { id: 'asc' } })).map(visit => visit.note);

test('a release that does not know of a partition makes entries of it invalid all the same', async () => {
  const redis = await startRedis();
  closeAfter(() => redis.stop());
  const { url } = await openDatabase();
  const cache = (): ReturnType<typeof resultCache> =>
    resultCache({ store: redisStore(redis.client(), { grace: 1 }), timeout: 1_000 });
  const newer = await openOrm({ url, entities: [New], extensions: [cache()] });
  await newer.schema.create();
  await newer.em.fork().insertMany(New, [
    { id: 1, traveller: 7, note: 'one' },
    { id: 2, traveller: 8, note: 'two' },
  ]);
  const older = await openOrm({ url, entities: [Old], extensions: [cache()] });
  await older.em.fork().count(Old);
  const explanation = async (): Promise<readonly string[]> => {
    const own = newCaches.get(newer)!;
    return (await own.explain(newer.em.fork(), New, { traveller: 7 })).tags;
  };
  const newCaches = new Map([[newer, newer.config.get('extensions')[0] as unknown as ReturnType<typeof resultCache>]]);

  // Not everybody has had the time to hear of it.
  expect(await explanation()).toEqual(['public.visit']);
  expect(await notesOf(newer, 7)).toEqual(['one']);
  await older.em.fork().nativeUpdate(Old, { id: 1 }, { note: 'changed' });
  expect(await notesOf(newer, 7)).toEqual(['changed']);

  await sleep(17_000);
  expect(await explanation()).toEqual(['public.visit?traveller=7', 'public.visit?traveller=*']);
  expect(await notesOf(newer, 7)).toEqual(['changed']);
  expect(await notesOf(newer, 8)).toEqual(['two']);
  using recorder = recordQueries(newer);
  await newer.em.fork().nativeUpdate(New, { id: 2 }, { note: 'by the newer' });
  recorder.take();
  expect(await notesOf(newer, 7)).toEqual(['changed']);
  expect(recorder.take()).toEqual([]);
  await older.em.fork().nativeUpdate(Old, { id: 1 }, { note: 'changed again' });
  expect(await notesOf(newer, 7)).toEqual(['changed again']);
});
