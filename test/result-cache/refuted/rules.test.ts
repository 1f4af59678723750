import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* PostgreSQL refuses RETURNING where a rule replaces the statement: what works without the cache has to work with it. */
const Visit = defineEntity({
  name: 'Visit',
  resultCache: { ttl: 60_000, partitionBy: ['traveller'] },
  properties: { id: p.integer().primary(), traveller: p.integer(), deleted: p.boolean().default(false) },
});

test('a rule may replace a delete by an update', async () => {
  const orm = await openOrm({ entities: [Visit], extensions: [resultCache()] });
  await orm.em.fork().insert(Visit, { id: 1, traveller: 7 } as never);
  await orm.em
    .fork()
    .execute(
      `create rule "soft" as on delete to "visit" do instead update "visit" set "deleted" = true where "id" = old."id"`,
    );
  const read = async (cache?: false): Promise<boolean[]> =>
    (await orm.em.fork().find(Visit, { traveller: 7 }, cache === false ? { cache } : {})).map(({ deleted }) => deleted);
  expect([await read(), await read()]).toEqual([[false], [false]]);
  await orm.em.fork().nativeDelete(Visit, { id: 1 });
  expect(await read(false)).toEqual([true]);
  expect(await read()).toEqual([true]);
});
