import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

/** A token as of a real one, further in the log. */
function further(token: string): string {
  const [version, cluster, timeline, lsn, at] = token.split('.') as [string, string, string, string, string];
  return [version, cluster, timeline, (BigInt(`0x${lsn}`) + (1n << 40n)).toString(16), at].join('.');
}

test('a session sees what it has written, whatever token it was given', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  const token = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    return further(resolver.token()!);
  });
  const seen = await resolver.run({ token }, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    return await count(text);
  });
  expect(seen).toBe(1);
});

test('a session sees what it has written, also if its token is of a timeline that there is not', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  const token = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    return resolver.token()!.replace(/^(v1\.[^.]+)\.\d+/, '$1.4000000');
  });
  const seen = await resolver.run({ token }, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    return await count(text);
  });
  expect(seen).toBe(1);
});
