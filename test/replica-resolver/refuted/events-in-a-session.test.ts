import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

test('what a listener of an event does is no part of a request that is over', async () => {
  const { orm, resolver } = await notes.connect({ resolver: { consistency: 'session' } });
  const sessions = new Set<string | undefined>();
  resolver.on('node.state', () => sessions.add(resolver.token()));
  const processToken = resolver.token();
  // A statement of a request fails in a way that has the node looked at.
  await resolver.run({ token: 'x' }, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    await notes.one.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    await orm.em.fork().count(Note, {});
  });
  const mine = resolver.token();
  await resolver.run({}, () => orm.em.fork().insert(Note, { text: notes.text() } as never));
  sessions.clear();
  await notes.one.stop('fast');
  await expect.poll(() => sessions.size, { timeout: 5_000 }).toBeGreaterThan(0);
  expect([processToken, [...sessions]]).toEqual([undefined, [resolver.token()]]);
  expect(mine).not.toBe(resolver.token());
});
