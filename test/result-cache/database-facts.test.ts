import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

/** Mapped without a relation between them: only the database knows that they belong together. */
const Owner = defineEntity({ name: 'Owner', properties: { id: p.integer().primary(), name: p.string() } });
const Pet = defineEntity({
  name: 'Pet',
  resultCache: { partitionBy: ['kind'] },
  properties: { id: p.integer().primary(), kind: p.string(), owner: p.integer().nullable() },
});

const TTL = 600_000;

async function open(sql: readonly string[], user = ''): Promise<MikroORM> {
  const { url } = await openDatabase();
  const plain = await openOrm({ url, entities: [Owner, Pet] });
  await plain.schema.create();
  for (const statement of sql) {
    await plain.em.fork().execute(statement);
  }
  return await openOrm({
    url: user === '' ? url : withUser(url, user),
    entities: [Owner, Pet],
    extensions: [resultCache()],
  });
}

function withUser(url: string, user: string): string {
  const changed = new URL(url);
  changed.username = user;
  return String(changed);
}

const owners = [1, 2].map(id => ({ id, name: `owner ${id}` }));
const kindsOf = async (orm: MikroORM, kind: string): Promise<(number | null | undefined)[]> =>
  (await orm.em.fork().find(Pet, { kind }, { orderBy: { id: 'asc' }, cache: TTL })).map(pet => pet.owner);

describe('foreign keys that no entity has', () => {
  test.each([
    ['on delete cascade', []],
    ['on delete set null', [null]],
  ])('%s', async (rule, expected) => {
    const orm = await open([`alter table "pet" add foreign key ("owner") references "owner" ("id") ${rule}`]);
    await orm.em.fork().insertMany(Owner, owners);
    await orm.em.fork().insert(Pet, { id: 1, kind: 'cat', owner: 1 });
    expect(await kindsOf(orm, 'cat')).toEqual([1]);
    await orm.em.fork().nativeDelete(Owner, { id: 1 });
    expect(await kindsOf(orm, 'cat')).toEqual(expected);
  });

  test('one that is made while the program runs', async () => {
    const orm = await open([]);
    await orm.em.fork().insertMany(Owner, owners);
    await orm.em.fork().insert(Pet, { id: 1, kind: 'cat', owner: 1 });
    await orm.em
      .fork()
      .execute('alter table "pet" add foreign key ("owner") references "owner" ("id") on delete cascade');
    expect(await kindsOf(orm, 'cat')).toEqual([1]);
    await orm.em.fork().nativeDelete(Owner, { id: 1 });
    expect(await kindsOf(orm, 'cat')).toEqual([]);
  });
});

test('a trigger that changes rows before they are written', async () => {
  const orm = await open([
    `create function "other_kind"() returns trigger language plpgsql as $$ begin new.kind := 'dog'; return new; end $$`,
    `create trigger "other_kind" before insert on "pet" for each row execute function "other_kind"()`,
  ]);
  expect(await kindsOf(orm, 'dog')).toEqual([]);
  await orm.em.fork().insert(Pet, { id: 1, kind: 'cat', owner: 7 });
  expect(await kindsOf(orm, 'dog')).toEqual([7]);
});

test('a table with triggers has a warning that says what to do', async () => {
  const warnings: string[] = [];
  const hear = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', hear);
  const orm = await open([
    `create function "noted"() returns trigger language plpgsql as $$ begin return null; end $$`,
    `create trigger "noted" after update on "pet" for each row execute function "noted"()`,
  ]);
  await kindsOf(orm, 'cat');
  await new Promise(resolve => setImmediate(resolve));
  process.off('warning', hear);
  expect(warnings).toEqual([
    "resultCache(): the table public.pet has triggers (noted). If they write to other tables, name those in the entity's resultCache: { alsoWrites: ['table'] }; if not, say alsoWrites: [].",
  ]);
});

describe('a statement that may not return what it has written', () => {
  let orm: MikroORM;
  beforeEach(async () => {
    orm = await open([
      'alter table "pet" enable row level security',
      'alter table "pet" force row level security',
      'create policy "write" on "pet" for insert with check (true)',
      `create policy "read" on "pet" for select using (kind = 'cat')`,
    ]);
  });

  test('is sent as it is', async () => {
    expect(await kindsOf(orm, 'cat')).toEqual([]);
    using recorder = recordQueries(orm);
    // A superuser is beyond policies; what matters is that nothing is added that they could refuse.
    await orm.em.fork().insert(Pet, { id: 1, kind: 'cat' });
    await orm.em.fork().nativeUpdate(Pet, { id: 1 }, { owner: 3 });
    expect(recorder.take().map(({ sql }) => sql)).toEqual([
      'insert into "pet" ("id", "kind") values (?, ?)',
      'update "pet" set "owner" = ? where "id" = ?',
    ]);
    expect(await kindsOf(orm, 'cat')).toEqual([3]);
  });
});
