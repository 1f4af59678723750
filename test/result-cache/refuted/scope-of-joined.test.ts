import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';

/* The scope of an entity counts wherever its rows are read, not only where it is the root. */
const tenants = new AsyncLocalStorage<string>();
const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), notes: () => p.oneToMany(Note).mappedBy('author') },
});
const Note = defineEntity({
  name: 'Note',
  resultCache: { ttl: 60_000, scope: () => tenants.getStore() },
  properties: { id: p.integer().primary(), author: () => p.manyToOne(Author), text: p.string() },
});

test('the scope of a joined entity is part of the key', async () => {
  const orm = await openOrm({ entities: [Author, Note], extensions: [resultCache()], pool: { min: 1, max: 1 } });
  const em = orm.em.fork();
  // Stands for a policy on "note" that looks at a setting of the session, as the README tells to use `scope` for.
  await em.execute(`insert into "author" values (1, 'Ann'); insert into "note" values (1, 1, 'of a'), (2, 1, 'of b')`);
  await em.execute(`create role "reader_${process.pid}"; grant select on all tables in schema public to "reader_${process.pid}";
    alter table "note" enable row level security;
    create policy "own" on "note" using ("text" = 'of ' || current_setting('app.tenant', true))`);
  const read = (tenant: string, how: (em: EntityManager) => Promise<unknown>): Promise<unknown> =>
    tenants.run(tenant, async () => {
      await orm.em.fork().execute(`set role "reader_${process.pid}"`);
      await orm.em.fork().execute(`set app.tenant = '${tenant}'`);
      try {
        return await how(orm.em.fork());
      } finally {
        await orm.em.fork().execute('reset role');
      }
    });
  const joined = async (fork: EntityManager): Promise<unknown> =>
    (await fork.find(Author, {}, { cache: 60_000, populate: ['notes'], strategy: 'joined' })).flatMap(({ notes }) =>
      notes.getItems().map(({ text }) => text),
    );
  const built = (fork: EntityManager): Promise<unknown> =>
    fork
      .createQueryBuilder(Author, 'a')
      .select('n.text' as never)
      .join('a.notes', 'n')
      .cache(60_000)
      .execute();
  try {
    expect(await read('a', joined)).toEqual(['of a']);
    expect.soft(await read('b', joined)).toEqual(['of b']);
    expect(await read('a', built)).toEqual([{ text: 'of a' }]);
    expect.soft(await read('b', built)).toEqual([{ text: 'of b' }]);
  } finally {
    await orm.em.fork().execute(`drop owned by "reader_${process.pid}"; drop role "reader_${process.pid}"`);
  }
});
