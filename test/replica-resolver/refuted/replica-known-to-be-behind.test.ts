import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';
import { LOGGED, Statements } from '../fixtures/statements.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1, LOGGED);
});

test('a replica that is known to be behind what a session wrote is not made to run its read in vain', async () => {
  const { orm, resolver, routes } = await notes.connect();
  await notes.pause(notes.one);
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text: notes.text() } as never);
    // The monitor has seen it behind since.
    await expect.poll(() => resolver.snapshot().nodes[1]!.lagBytes).toBeGreaterThan(0);
    routes();
    const statements = new Statements([notes.primary, notes.one], notes.database);
    await orm.em.getConnection('read').execute('select pg_sleep(0.1)::text');
    const asked = statements.take();
    expect(asked[notes.primary.name]).toEqual(['select pg_sleep(0.1)::text']);
    expect(asked[notes.one.name]?.filter(each => each.includes('pg_sleep')) ?? []).toEqual([]);
    expect(routes()).toEqual(['primary: primary-not-caught-up']);
  });
});
