import { startProxy } from '../../harness/proxy.ts';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('a genuine token is not taken for one of the future, though the primary answers probes slowly', async () => {
  const proxy = await startProxy(notes.primary.url(notes.database));
  const writer = await notes.connect();
  const reader = await notes.connect({ orm: { clientUrl: proxy.url(notes.database) } });
  await reader.orm.em.fork().count(Note, {}, { connectionType: 'write' });
  await notes.pause(notes.one, notes.two);
  await proxy.delay(300);
  const seen: number[] = [];
  for (let n = 0; n < 8; n++) {
    const text = notes.text();
    const token = await writer.resolver.run({}, async () => {
      await writer.orm.em.fork().insert(Note, { text } as never);
      return writer.resolver.token();
    });
    seen.push(await reader.resolver.run({ token }, () => reader.count(text)));
  }
  expect([seen, reader.heard('token.rejected')]).toEqual([Array(8).fill(1), []]);
}, 60_000);
