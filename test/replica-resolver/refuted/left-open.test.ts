import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

test('no client is given back to a pool in a transaction: the next request does not fail of a text that failed before', async () => {
  const { orm } = await notes.connect({ resolver: { primaryPool: { max: 1 } } });
  const text = notes.text();
  await expect(orm.em.fork().execute('begin; select 1 / 0; commit')).rejects.toThrow('division by zero');
  await orm.em.fork().insert(Note, { text } as never);
  expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
});

test('what was acknowledged is committed, though somebody has left a transaction open on the connection', async () => {
  const { orm } = await notes.connect({ resolver: { primaryPool: { max: 1 } } });
  const text = notes.text();
  await orm.em.fork().execute('begin');
  await orm.em.fork().insert(Note, { text } as never);
  expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
});
