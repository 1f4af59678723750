import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* What `dependsOn` names is looked at as a whole, even where the statement names the same table with a condition. */
const Member = defineEntity({
  name: 'Member',
  properties: { id: p.integer().primary(), level: p.integer(), totals: () => p.oneToMany(Totals).mappedBy('member') },
});
const Totals = defineEntity({
  // A table to MikroORM, a view to the database.
  name: 'Totals',
  resultCache: { ttl: 60_000, dependsOn: ['member'] },
  properties: { id: p.integer().primary(), member: () => p.manyToOne(Member), sum: p.integer() },
});

test('dependsOn holds although the statement reads the same table by key', async () => {
  const orm = await openOrm({ entities: [Member, Totals], extensions: [resultCache()] });
  await orm.em.fork().execute(
    `drop table "totals"; insert into "member" values (1, 1), (2, 2);
     create view "totals" as select 1 as "id", 1 as "member_id", (select sum("level")::int from "member") as "sum"`,
  );
  const read = async (cache: boolean): Promise<number> =>
    (await orm.em.fork().findOneOrFail(Member, 1, { cache, populate: ['totals'], strategy: 'joined' })).totals[0]!.sum;
  expect([await read(true), await read(true)]).toEqual([3, 3]);
  await orm.em.fork().nativeUpdate(Member, { id: 2 }, { level: 20 });
  expect(await read(false)).toBe(21);
  expect(await read(true)).toBe(21);
});

const Task = defineEntity({
  name: 'Task',
  // A row-level policy on it reads other rows of it.
  resultCache: { ttl: 60_000, dependsOn: ['task'] },
  properties: { id: p.integer().primary(), title: p.string() },
});

test('a table may depend on itself', async () => {
  const orm = await openOrm({ entities: [Task], extensions: [resultCache()] });
  await orm.em.fork().insertMany(Task, [
    { id: 1, title: 'one' },
    { id: 2, title: 'two' },
  ]);
  await orm.em.fork().execute(
    `alter table "task" rename to "task_rows";
     create view "task" as select "id", (select string_agg("title", ',' order by "id") from "task_rows") as "title" from "task_rows"`,
  );
  const read = async (cache: boolean): Promise<string> =>
    (await orm.em.fork().findOneOrFail(Task, 1, cache ? {} : { cache: false })).title;
  expect([await read(true), await read(true)]).toEqual(['one,two', 'one,two']);
  await orm.em
    .fork()
    .execute(
      `create or replace rule "change" as on update to "task" do instead update "task_rows" set "title" = new."title" where "id" = old."id"`,
    );
  expect([await read(true), await read(true)]).toEqual(['one,two', 'one,two']);
  await orm.em.fork().execute(`update "task" set "title" = 'zwei' where "id" = 2`);
  expect(await read(false)).toBe('one,zwei');
  expect(await read(true)).toBe('one,zwei');
});
