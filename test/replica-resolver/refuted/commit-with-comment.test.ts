import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import { beforeAll, expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

async function send(db: Kysely<unknown>, sql: string): Promise<void> {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
  await db.executeQuery({ sql, parameters: [], query, queryId: { queryId: sql } } as never);
}

test.each(['commit -- the note', 'commit; -- the note', 'end --'])(
  'a commit commits, whatever comment follows it: %s',
  async commit => {
    const { orm } = await notes.connect();
    const text = notes.text();
    await (orm.em.fork() as EntityManager)
      .getKysely<unknown>()
      .connection()
      .execute(async db => {
        await send(db, 'begin');
        await send(db, `insert into note (text) values ('${text}')`);
        try {
          await send(db, commit);
        } finally {
          await send(db, 'rollback');
        }
      });
    expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
  },
);
