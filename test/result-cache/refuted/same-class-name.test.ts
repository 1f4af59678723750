import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* MikroORM 7 lets two entities have one name; the same call on each is another statement. */
const properties = { id: p.integer().primary(), name: p.string() };
const Here = defineEntity({ name: 'Visit', tableName: 'visit_here', properties });
const There = defineEntity({ name: 'Visit', tableName: 'visit_there', properties });

test('two entities with one name', async () => {
  const orm = await openOrm({ entities: [Here, There], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em
    .fork()
    .execute(`insert into "visit_here" values (1, 'here'); insert into "visit_there" values (1, 'there')`);
  expect((await orm.em.fork().findOneOrFail(Here, 1, { cache: false })).name).toBe('here');
  expect((await orm.em.fork().findOneOrFail(There, 1, { cache: false })).name).toBe('there');
  expect((await orm.em.fork().findOneOrFail(Here, 1, { cache: true })).name).toBe('here');
  expect((await orm.em.fork().findOneOrFail(There, 1, { cache: true })).name).toBe('there');
});
