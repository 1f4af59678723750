import { beforeAll, expect, test } from 'vitest';
import { Note, Notes, type Routed } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
  // A commit that takes longer than the client waits for it.
  await notes.sql(`create function slow() returns trigger language plpgsql as
    $$ begin if new.text like 'slow%' then perform pg_sleep(5); end if; return new; end $$;
    create constraint trigger slow after insert on note deferrable initially deferred for each row execute function slow()`);
}, 120_000);

test.each<[string, (routed: Routed, text: string) => Promise<unknown>]>([
  ['of a transaction', ({ orm }, text) => orm.em.fork().transactional(em => em.insert(Note, { text } as never))],
  ['of a statement', ({ orm }, text) => orm.em.fork().insert(Note, { text } as never)],
])('a commit whose answer did not come within query_timeout is reported as unknown, and seen: %s', async (_, write) => {
  const routed = await notes.connect({ orm: { driverOptions: { query_timeout: 2_000 } } });
  const { resolver, count } = routed;
  await notes.cluster.caughtUp();
  await notes.pause(notes.one);
  const text = `slow ${notes.text()}`;
  await resolver.run({}, async () => {
    const outcome = await write(routed, text).then(
      () => 'committed',
      (error: Error) => error.name,
    );
    await expect.poll(() => notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
    expect([outcome, await count(text)]).toEqual(['CommitOutcomeUnknownError', 1]);
  });
});
