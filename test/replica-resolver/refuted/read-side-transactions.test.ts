import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

async function send(db: Kysely<unknown>, sql: string, parameters: unknown[] = []): Promise<unknown> {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters };
  return await db.executeQuery({ sql, parameters, query, queryId: { queryId: sql } } as never);
}

test('query_timeout counts for a read with values behind a question', async () => {
  const { orm, resolver } = await notes.connect({ orm: { driverOptions: { query_timeout: 1_500 } } });
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: 'x' } as never);
    await sleep(300);
    const db = (orm.em.fork() as EntityManager).getKysely({ type: 'read' }) as Kysely<unknown>;
    const t = performance.now();
    await resolver.withConsistency('monotonic', async () => {
      await expect(send(db, 'select pg_sleep($1)', [15])).rejects.toThrow('Query read timeout');
    });
    expect(performance.now() - t).toBeLessThan(10_000);
  });
});

test('query_timeout counts for a read that is sent together with the question whether its replica is far enough', async () => {
  const { orm, resolver } = await notes.connect({
    resolver: { consistency: 'monotonic' },
    orm: { driverOptions: { query_timeout: 1_500 } },
  });
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: 'x' } as never);
    await notes.cluster.caughtUp();
    const read = orm.em.fork().getConnection('read');
    const t = performance.now();
    await expect(read.execute('select pg_sleep(?)', [15])).rejects.toThrow('Query read timeout');
    expect(performance.now() - t).toBeLessThan(10_000);
    // What comes late is nobody's answer.
    expect(await read.execute('select 2 as prompt')).toEqual([{ prompt: 2 }]);
  });
});

test('a transaction on the read side that writes, on the primary', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: 'y' } as never);
    const db = (orm.em.fork() as EntityManager).getKysely({ type: 'read' }) as Kysely<unknown>;
    await db.transaction().execute(async tx => {
      await send(tx as never, `insert into note (text) values ('${text}')`);
    });
    await notes.resume(notes.one, notes.two);
    await notes.pause(notes.one, notes.two);
  });
  expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
  void count;
});

test('… and what it wrote is seen', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({ consistency: 'strong' }, async () => {
    const db = (orm.em.fork() as EntityManager).getKysely({ type: 'read' }) as Kysely<unknown>;
    await db.transaction().execute(async tx => {
      await send(tx as never, `insert into note (text) values ('${text}')`);
    });
    expect(resolver.wrote()).toBe(true);
    expect(await resolver.withConsistency('session', () => count(text))).toBe(1);
  });
});
