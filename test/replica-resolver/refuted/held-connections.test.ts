import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('a session sees what it has committed, also in a transaction that was begun before the session', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  const em = orm.em.fork();
  await em.begin();
  await resolver.run({}, async () => {
    await em.insert(Note, { text } as never);
    await em.commit();
    expect(await count(text)).toBe(1);
  });
});
