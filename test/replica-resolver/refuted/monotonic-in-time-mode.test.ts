import { expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test("'monotonic' is as 'session' where nobody may ask for positions: the read is answered", async () => {
  const notes = await Notes.open(1);
  await notes.sql('create role plain login; grant all on all tables in schema public to plain');
  for (const name of ['pg_current_wal_insert_lsn()', 'pg_current_wal_lsn()', 'pg_last_wal_replay_lsn()']) {
    await notes.sql(`revoke execute on function ${name} from public`);
  }
  await notes.cluster.caughtUp();
  const { orm, resolver, routes } = await notes.connect({
    orm: { user: 'plain' },
    replicas: notes.replicas.map(replica => ({ ...replica, user: 'plain' })),
  });
  expect(resolver.snapshot().mode).toBe('time');
  expect(await orm.em.fork().count(Note, {}, { consistency: 'monotonic' })).toBe(0);
  expect(routes()).toEqual(['replica one: replica']);
});
