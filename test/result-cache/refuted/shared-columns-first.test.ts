import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { closeAfter } from '../../harness/close-after.ts';
import { openDatabase } from '../../harness/database.ts';
import { openOrm } from '../../harness/orm.ts';
import { startRedis } from '../../harness/redis.ts';

/* A process whose first look at what others tell apart fails must not write before it has looked again. */
const properties = { id: p.integer().primary(), traveller: p.integer(), note: p.string() };
const Old = defineEntity({ name: 'Visit', properties });
const New = defineEntity({ name: 'Visit', properties, resultCache: { ttl: 600_000, partitionBy: ['traveller'] } });

test('a release without the partition whose first look fails', async () => {
  const redis = await startRedis();
  closeAfter(() => redis.stop());
  const { url } = await openDatabase();
  const newer = await openOrm({
    url,
    entities: [New],
    extensions: [resultCache({ store: redisStore(redis.client(), { grace: 1 }), timeout: 1_000 })],
  });
  await newer.schema.create();
  await newer.em.fork().insert(New, { id: 1, traveller: 7, note: 'before' });
  const read = async (cache?: false): Promise<string[]> =>
    (await newer.em.fork().find(New, { traveller: 7 }, cache === false ? { cache } : {})).map(({ note }) => note);
  await read();
  await sleep(17_000);
  const client = redis.client();
  const inner = redisStore(client, { grace: 1 });
  let failures = 1;
  const flaky = new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === 'read') {
        return (ask: { key: string }) =>
          ask.key.startsWith('columns:') && failures-- > 0
            ? Promise.reject(new Error('a moment of bad network'))
            : (value as (ask: unknown) => unknown).call(target, ask);
      }
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
  const older = await openOrm({
    url,
    entities: [Old],
    extensions: [resultCache({ store: flaky, timeout: 1_000, retryAfter: 50 })],
  });
  await older.em.fork().count(Old, {}, { cache: true });
  await sleep(100);
  await older.em.fork().count(Old, {}, { cache: true });
  await sleep(100);
  expect([await read(), await read()]).toEqual([['before'], ['before']]);
  await older.em.fork().nativeUpdate(Old, { id: 1 }, { note: 'after' });
  expect(await read(false)).toEqual(['after']);
  expect(await read()).toEqual(['after']);
}, 60_000);
