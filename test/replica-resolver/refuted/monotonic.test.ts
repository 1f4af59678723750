import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test("'monotonic': nothing that the session has read already is missed, also if it was read on the primary", async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = await notes.elsewhere();
  await resolver.run({ consistency: 'monotonic' }, async () => {
    expect(await orm.em.fork().count(Note, { text }, { consistency: 'strong' })).toBe(1);
    expect(await count(text)).toBe(1);
  });
});

test("'monotonic': also if it was read in a read-only transaction, after it was begun", async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one);
  resolver.drain('one');
  const text = notes.text();
  await resolver.run({ consistency: 'monotonic' }, async () => {
    const seen = await orm.em.fork().transactional(
      async em => {
        await em.count(Note);
        await notes.elsewhere(text);
        await expect
          .poll(() => notes.two.query('select from note where text = $1', [text], notes.database))
          .toHaveLength(1);
        return await em.count(Note, { text });
      },
      { readOnly: true },
    );
    expect(seen).toBe(1);
    resolver.undrain('one');
    resolver.drain('two');
    expect(await count(text)).toBe(1);
  });
});
