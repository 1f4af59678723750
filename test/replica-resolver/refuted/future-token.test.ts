import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { startProxy } from '../../harness/proxy.ts';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

test('G1: a read that was given the token of a write within `tokenTtl` does not miss it, though the primary answers slowly', async () => {
  await using proxy = await startProxy(notes.primary.url(notes.database));
  const writer = await notes.connect({ replicas: [] });
  const reader = await notes.connect({
    orm: { clientUrl: proxy.url(notes.database), driverOptions: { application_name: 'reader' } },
    resolver: { maxLag: 60_000, heartbeat: 1_000 },
  });
  await proxy.delay(150);
  await notes.pause(notes.one);
  const probed = async (): Promise<unknown> => {
    const [row] = await notes.sql(
      `select max(query_start)::text as at from pg_stat_activity where application_name = 'reader' and query like '%pg_is_in_recovery() as recovery%' and state = 'idle'`,
    );
    return row!['at'];
  };
  // One beat has been answered by the server, and the answer is on its way.
  const before = await probed();
  while ((await probed()) === before) {
    await sleep(2);
  }
  const text = notes.text();
  const token = await writer.resolver.run({}, async () => {
    await writer.orm.em.fork().insert(Note, { text } as never);
    return writer.resolver.token();
  });
  expect(await reader.resolver.run({ token }, () => reader.count(text))).toBe(1);
  expect(reader.heard('token.rejected')).toEqual([]);
});
