import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import { beforeAll, expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

interface Tables {
  note: { text: string };
}

async function send(db: Kysely<Tables>, ...texts: string[]): Promise<void> {
  for (const sql of texts) {
    const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
    await db.executeQuery({ sql, parameters: [], query, queryId: { queryId: sql } } as never);
  }
}

test('what was committed by a text that has begun the next transaction is seen when the text is done', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    const db = (orm.em.fork() as EntityManager).getKysely<Tables>();
    await db.connection().execute(async connection => {
      await send(connection, 'begin', `insert into note (text) values ('${text}')`, 'commit; begin');
      expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
      const seen = await count(text);
      await send(connection, 'rollback');
      expect(seen).toBe(1);
    });
  });
});

test('what is committed by a text that fails later is seen', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    const em = orm.em.fork();
    await expect(em.execute(`begin; insert into note (text) values ('${text}'); commit; select 1 / 0`)).rejects.toThrow(
      'division by zero',
    );
    expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
    expect(await count(text)).toBe(1);
  });
});

test('what a procedure has committed before it failed is seen', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.sql(`create or replace procedure add_then_fail(t text) language plpgsql as
    $$ begin insert into note (text) values (t); commit; raise exception 'failed'; end $$`);
  await notes.cluster.caughtUp();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    await expect(orm.em.fork().execute(`call add_then_fail('${text}')`)).rejects.toThrow('failed');
    expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
    expect(await count(text)).toBe(1);
  });
});
