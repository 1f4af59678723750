import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { closeAfter } from '../../harness/close-after.ts';
import { openOrm } from '../../harness/orm.ts';
import { startRedis } from '../../harness/redis.ts';
import { redisStore } from '@mikrokit/result-cache';

/*
 * While the store is told of a commit, code of the user's that was not awaited may still send statements on the same
 * connection: they are part of the transaction, as the COMMIT is sent after them.
 */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

test('a statement that is sent while the store is told of the commit', async () => {
  const redis = await startRedis();
  closeAfter(() => redis.stop());
  const orm = await openOrm({
    entities: [City],
    extensions: [resultCache({ ttl: 60_000, timeout: 1_000, store: redisStore(redis.client(), { grace: 1 }) })],
  });
  await orm.em.fork().insertMany(City, [
    { id: 1, name: 'before' },
    { id: 2, name: 'before' },
  ]);
  const read = async (id: number, cache: boolean): Promise<string> =>
    (await orm.em.fork().findOneOrFail(City, id, { cache })).name;
  await read(2, true);
  await new Promise(resolve => setTimeout(resolve, 50));
  await read(2, true);
  let late: Promise<unknown> | undefined;
  await orm.em.fork().transactional(async em => {
    await em.nativeUpdate(City, { id: 1 }, { name: 'after' });
    const trx = em.getTransactionContext();
    late = new Promise(resolve => setTimeout(resolve, 0)).then(() =>
      em.getConnection().execute(`update "city" set "name" = 'after' where "id" = 2`, [], 'run', trx),
    );
  });
  await late?.catch(() => undefined);
  expect(await read(2, true)).toBe(await read(2, false));
});
