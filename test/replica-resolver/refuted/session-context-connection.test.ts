import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('no connection is held after a read that was sent away from a replica, with sessionContext: connection', async () => {
  const { orm, resolver, count } = await notes.connect({ orm: { sessionContext: 'connection' } });
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    for (let n = 0; n < 12; n++) {
      expect(await count(text)).toBe(1);
    }
  });
  const held = resolver.snapshot().nodes.map(({ name, inFlight }) => [name, inFlight]);
  expect(held.map(([, inFlight]) => inFlight)).toEqual([0, 0, 0]);
});

test('a read on the primary is no write, with sessionContext: connection', async () => {
  const { orm, resolver } = await notes.connect({ orm: { sessionContext: 'connection' } });
  const { RequestContext } = await import('@mikro-orm/core');
  const em = orm.em.fork();
  em.setSessionContext({ variables: { 'app.user': 'u' } });
  await resolver.run({}, () =>
    RequestContext.create(em, async () => {
      await orm.em.find(Note, {}, { connectionType: 'write' });
      expect(resolver.wrote()).toBe(false);
    }),
  );
});
