import { expect, onTestFinished, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test('G1: no read of a session misses what it wrote, though the clock of the machine is put forward', async () => {
  const notes = await Notes.open(1);
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one);
  const text = notes.text();
  const { now } = Date;
  onTestFinished(() => void (Date.now = now));
  const seen = await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    Date.now = () => now() + 120_000;
    return await count(text);
  });
  expect(seen).toBe(1);
});
