import { setTimeout as sleep } from 'node:timers/promises';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import pg from 'pg';
import { expect, test } from 'vitest';
import { openDatabase } from '../../harness/database.ts';
import { openOrm } from '../../harness/orm.ts';

/* For writers past the ORM the TTL is the only bound: the one that the call asks for, whoever has filled the entry. */
const City = defineEntity({ name: 'City', properties: { id: p.integer().primary(), name: p.string() } });

test('an entry is no older than the call allows', async () => {
  const { url } = await openDatabase();
  const orm = await openOrm({ url, entities: [City], extensions: [resultCache({ jitter: 0 })] });
  await orm.schema.create();
  await orm.em.fork().insert(City, { id: 1, name: 'before' });
  const read = async (cache: number): Promise<string> => (await orm.em.fork().findOneOrFail(City, 1, { cache })).name;
  await read(3_600_000);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`update "city" set "name" = 'after'`);
  await client.end();
  await sleep(100);
  expect(await read(50)).toBe('after');
});
