import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('what a function writes behind a read that the primary answers is seen', async () => {
  const { orm, resolver, count } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    await resolver.withConsistency('strong', () => orm.em.getConnection('read').execute('select add_note(?)', [text]));
    expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
    expect(await count(text)).toBe(1);
  });
});

test('a function that writes behind a read of a session is told of to the next request', async () => {
  const { orm, resolver, routes } = await notes.connect();
  await notes.pause(notes.one, notes.two);
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    const before = resolver.token();
    routes();
    // Neither replica has what was written before, so that the primary answers: it was asked of no replica that refuses it.
    await orm.em.getConnection('read').execute('select add_note(?)', [notes.text()]);
    expect(routes()).toEqual(['primary: primary-not-caught-up']);
    expect(resolver.token()).not.toBe(before);
  });
});
