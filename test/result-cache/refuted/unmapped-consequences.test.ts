import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

const Parent = defineEntity({ name: 'Parent', properties: { id: p.integer().primary() } });
const Child = defineEntity({
  name: 'Child',
  resultCache: { alsoWrites: ['audit'] },
  properties: { id: p.integer().primary(), parent: () => p.manyToOne(Parent).deleteRule('cascade') },
});
const Audit = defineEntity({ name: 'Audit', properties: { id: p.integer().primary(), what: p.string() } });

/* A trigger runs for what a foreign key deletes as for anything else. */
test('a delete changes what the tables that it cascades to say they also write', async () => {
  const orm = await openOrm({ entities: [Parent, Child, Audit], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().execute(`insert into "parent" values (1); insert into "child" values (1, 1);
    create function "note_it"() returns trigger language plpgsql as $$ begin insert into "audit" values (old."id", 'deleted'); return null; end $$;
    create trigger "note_it" after delete on "child" for each row execute function "note_it"()`);
  const read = (cache: boolean): Promise<number> => orm.em.fork().count(Audit, {}, { cache });
  expect([await read(true), await read(true)]).toEqual([0, 0]);
  await orm.em.fork().nativeDelete(Parent, { id: 1 });
  expect(await read(false)).toBe(1);
  expect(await read(true)).toBe(1);
});

const Loose = defineEntity({ name: 'Loose', properties: { id: p.integer().primary(), parent: p.integer() } });

/* `truncate … cascade` follows each foreign key, whatever its rule, and whether MikroORM knows it or not. */
test('truncate cascade follows a foreign key that only the database knows', async () => {
  const orm = await openOrm({ entities: [Parent, Loose], extensions: [resultCache({ ttl: 60_000 })] });
  await orm.em.fork().execute(`insert into "parent" values (1); insert into "loose" values (1, 1);
    alter table "loose" add foreign key ("parent") references "parent" ("id")`);
  const read = (cache: boolean): Promise<number> => orm.em.fork().count(Loose, {}, { cache });
  expect([await read(true), await read(true)]).toEqual([1, 1]);
  await orm.em.fork().execute('truncate "parent" cascade');
  expect(await read(false)).toBe(0);
  expect(await read(true)).toBe(0);
});
