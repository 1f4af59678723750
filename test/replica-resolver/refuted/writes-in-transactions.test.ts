import type { Kysely } from '@mikro-orm/postgresql';
import type { ReplicaResolver } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { Notes } from '../fixtures/notes.ts';

/* G1 counts every way to write: a transaction of one's own texts as well, whichever text begins, writes or ends it. */

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

/** A text as it is, on a connection of Kysely's. */
async function send(db: Kysely<unknown>, sql: string): Promise<void> {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
  await db.executeQuery({ sql, parameters: [], query, queryId: { queryId: sql } } as never);
}

/** The position in a token, which is its fourth part. */
function positionOf(resolver: ReplicaResolver): bigint {
  return BigInt(`0x${resolver.token()?.split('.')[3] ?? '0'}`);
}

/** How far the primary has written. */
async function position(): Promise<bigint> {
  const [row] = await notes.sql(`select pg_current_wal_insert_lsn() - '0/0' as bytes`);
  return BigInt(String(row!['bytes']));
}

test('explain analyze of an insert is a write', async () => {
  const { orm, resolver } = await notes.connect();
  await resolver.run({}, async () => {
    await orm.em.fork().transactional(em => em.execute(`explain analyze insert into note (text) values ('x')`));
    expect(resolver.wrote()).toBe(true);
  });
});

test('what is only explained is no write', async () => {
  const { orm, resolver } = await notes.connect();
  await resolver.run({}, async () => {
    await orm.em.fork().transactional(em => em.execute(`explain insert into note (text) values ('x')`));
    expect(resolver.wrote()).toBe(false);
  });
});

test('a text that ends the transaction with its last write has written', async () => {
  const { orm, resolver } = await notes.connect();
  await resolver.run({}, async () => {
    const before = await position();
    await orm.em
      .fork()
      .getKysely<unknown>()
      .connection()
      .execute(async db => {
        await send(db, 'begin');
        await send(db, `insert into note (text) values ('x'); commit`);
      });
    expect(resolver.wrote()).toBe(true);
    expect(positionOf(resolver)).toBeGreaterThan(before);
  });
});

test('a text that begins the transaction with its first write has written once that is committed, and no earlier', async () => {
  const { orm, resolver } = await notes.connect();
  await resolver.run({}, async () => {
    await orm.em
      .fork()
      .getKysely<unknown>()
      .connection()
      .execute(async db => {
        await send(db, `begin; insert into note (text) values ('x')`);
        expect(resolver.wrote()).toBe(false);
        const before = await position();
        await send(db, 'commit');
        expect(resolver.wrote()).toBe(true);
        expect(positionOf(resolver)).toBeGreaterThan(before);
      });
  });
});
