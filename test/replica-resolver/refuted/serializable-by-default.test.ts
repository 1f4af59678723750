import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
  await notes.sql(`alter database ${notes.database} set default_transaction_isolation = 'serializable'`);
  await notes.cluster.caughtUp();
}, 120_000);

test('replicas answer, also where transactions are serializable by the default of the database', async () => {
  const { orm, resolver, routes } = await notes.connect();
  await resolver.run({}, async () => {
    expect(await orm.em.fork().count(Note)).toBe(0);
    expect(await orm.em.fork().transactional(em => em.count(Note), { readOnly: true })).toBe(0);
  });
  expect(routes()).toContainEqual(expect.stringMatching(/^replica/));
});

test('one that was promoted takes writes that are serializable, as the database wants it', async () => {
  const { orm, resolver, count } = await notes.connect();
  await count('x');
  const isolation = async (): Promise<unknown> => {
    const [row] = await orm.em.fork().execute('show transaction_isolation', [], { connectionType: 'write' } as never);
    return row;
  };
  expect(await isolation()).toEqual({ transaction_isolation: 'serializable' });
  await notes.primary.stop('fast');
  await notes.one.query('select pg_promote(true, 60)');
  await expect.poll(() => resolver.snapshot().primary, { timeout: 10_000 }).toBe('one');
  expect(await isolation()).toEqual({ transaction_isolation: 'serializable' });
});
