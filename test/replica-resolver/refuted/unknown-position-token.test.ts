import { setTimeout as sleep } from 'node:timers/promises';
import { CommitOutcomeUnknownError } from '@mikrokit/replica-resolver';
import { startProxy } from '../../harness/proxy.ts';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

/** A commit whose answer was lost, and which was made. */
async function lostCommit(): Promise<{ text: string; token: string; before: string }> {
  const proxy = await startProxy(notes.primary.url(notes.database));
  const { orm, resolver } = await notes.connect({ orm: { clientUrl: proxy.url(notes.database) } });
  const text = notes.text();
  return await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    const before = resolver.token()!;
    await notes.cluster.caughtUp();
    await notes.pause(notes.one, notes.two);
    proxy.cut('commit', 'answer');
    const lost = orm.em.fork().transactional(em => em.insert(Note, { text } as never));
    await expect(lost).rejects.toThrow(CommitOutcomeUnknownError);
    expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
    return { text, token: resolver.token()!, before };
  });
}

test('what was written is seen by whoever was given the token within tokenTtl: also where its position is not known', async () => {
  const reader = await notes.connect();
  const { text, token } = await lostCommit();
  expect(await reader.resolver.run({ token }, () => reader.count(text))).toBe(1);
  await sleep(2_500);
  expect(await reader.resolver.run({ token }, () => reader.count(text))).toBe(1);
});

test('tokens can be merged: one whose position is not known is not lost in one that has one', async () => {
  const reader = await notes.connect();
  const { text, token, before } = await lostCommit();
  const seen = await reader.resolver.run({ token: before }, async () => {
    reader.resolver.advance(token);
    return await reader.count(text);
  });
  expect(seen).toBe(1);
});
