import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* PostgreSQL answers a BEGIN within a transaction with a warning, and the transaction goes on, with all it has written. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

test.each(['begin', 'start transaction'])('%s within a transaction', async begin => {
  const orm = await openOrm({ entities: [City], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  const read = async (cache: boolean): Promise<string> => (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;
  expect([await read(true), await read(true)]).toEqual(['before', 'before']);
  await orm.em.fork().transactional(async em => {
    await em.nativeUpdate(City, { id: 1 }, { name: 'after' });
    await em.execute(begin);
  });
  expect(await read(false)).toBe('after');
  expect(await read(true)).toBe('after');
});
