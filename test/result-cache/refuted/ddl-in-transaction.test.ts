import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* The catalog is asked again after a change of the schema: after its commit, not in the middle of its transaction. */
const Parent = defineEntity({ name: 'Parent', properties: { id: p.integer().primary() } });
const Child = defineEntity({ name: 'Child', properties: { id: p.integer().primary(), parent: p.integer() } });

test('a foreign key that a transaction adds while others read', async () => {
  const orm = await openOrm({ entities: [Parent, Child], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().insert(Parent, { id: 1 });
  await orm.em.fork().insert(Child, { id: 1, parent: 1 });
  await orm.em.fork().transactional(async em => {
    await em.execute(
      'alter table "child" add constraint "child_parent" foreign key ("parent") references "parent" ("id") on delete cascade',
    );
    // Another request of this process, at the same time.
    await orm.em.fork().execute('select 1');
  });
  const read = (cache: boolean): Promise<number> => orm.em.fork().count(Child, {}, { cache });
  expect([await read(true), await read(true)]).toEqual([1, 1]);
  await orm.em.fork().nativeDelete(Parent, { id: 1 });
  expect(await read(false)).toBe(0);
  expect(await read(true)).toBe(0);
});
