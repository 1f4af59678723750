import type { EntityManager } from '@mikro-orm/postgresql';
import { beforeAll, expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

interface Tables {
  note: { text: string };
}

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows) {
    // Only that it was run.
  }
}

interface Pool {
  query(sql: string | { text: string }, values?: unknown[]): Promise<unknown>;
}

test.each<[string, (em: EntityManager, text: string) => Promise<unknown>]>([
  [
    'Kysely, insert … returning as a stream',
    (em, text) => drain(em.getKysely<Tables>().insertInto('note').values({ text }).returningAll().stream()),
  ],
  [
    'the same in a transaction of Kysely',
    (em, text) =>
      em
        .getKysely<Tables>()
        .transaction()
        .execute(tx => drain(tx.insertInto('note').values({ text }).returningAll().stream())),
  ],
  [
    'a stream of a connection',
    (em, text) => drain(em.getConnection('write').stream('insert into note (text) values (?) returning *', [text])),
  ],
  [
    "query() of getNativeClient()'s pool",
    async (em, text) => {
      const pool = (await (
        em.getConnection('write') as unknown as { getNativeClient(): Promise<unknown> }
      ).getNativeClient()) as Pool;
      await pool.query(`insert into note (text) values ('${text}')`);
    },
  ],
])('every way to write counts: %s', async (_, write) => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    await write(orm.em.fork() as EntityManager, text);
    expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
    expect(await count(text)).toBe(1);
  });
});
