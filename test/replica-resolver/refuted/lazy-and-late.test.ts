import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('withConsistency() holds for everything in a function: also for a stream that it returns', async () => {
  const { orm, resolver, routes } = await notes.connect();
  routes();
  const rows = resolver.withConsistency('strong', () => orm.em.fork().stream(Note));
  for await (const _ of rows) {
    // Only that it was run.
  }
  expect(routes()).toEqual(['primary: primary-strong']);
});

test('an inner session knows what the outer has written, also after it was opened', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    let go = (): void => undefined;
    const written = new Promise<void>(resolve => (go = resolve));
    const inner = resolver.run({}, async () => {
      await written;
      return await count(text);
    });
    await orm.em.fork().insert(Note, { text } as never);
    go();
    expect(await inner).toBe(1);
  });
});
