import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* A partition, or a table that inherits from another, may be mapped as well as that other. */
const properties = { id: p.integer().primary(), name: p.string() };
const Log = defineEntity({ name: 'Log', properties });
const OldLog = defineEntity({ name: 'OldLog', properties });

test.each([
  [
    'a partition',
    'create table "log" ("id" int, "name" varchar(255)) partition by range ("id"); create table "old_log" partition of "log" for values from (0) to (100)',
  ],
  [
    'an inheriting table',
    'create table "log" ("id" int, "name" varchar(255)); create table "old_log" () inherits ("log")',
  ],
])('a write is told to whatever shares rows with the table: %s', async (_title, ddl) => {
  const orm = await openOrm({ entities: [Log, OldLog], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().execute(`drop table "log", "old_log"; ${ddl}; insert into "old_log" values (1, 'before')`);
  const read = async (entity: typeof Log | typeof OldLog, cache: boolean): Promise<string> =>
    (await orm.em.fork().findOneOrFail(entity as typeof Log, 1, { cache })).name;
  for (const [written, other] of [
    [OldLog, Log],
    [Log, OldLog],
  ] as const) {
    await read(other, true);
    await orm.em.fork().nativeUpdate(written as typeof Log, { id: 1 }, { name: `by ${written.meta.className}` });
    expect(await read(other, false)).toBe(`by ${written.meta.className}`);
    expect.soft(await read(other, true)).toBe(`by ${written.meta.className}`);
  }
});
