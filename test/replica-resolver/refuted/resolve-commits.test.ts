import { beforeAll, expect, test } from 'vitest';
import { startProxy } from '../../harness/proxy.ts';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

test.each(['answer', 'request'] as const)(
  'resolveCommits looks up transactions: of a statement that commits by itself the outcome stays unknown (%s lost)',
  async at => {
    const proxy = await startProxy(notes.primary.url(notes.database));
    const { orm } = await notes.connect({
      orm: { clientUrl: proxy.url(notes.database) },
      resolver: { resolveCommits: true },
    });
    const text = notes.text();
    proxy.cut('insert into', at);
    const outcome = await orm.em
      .fork()
      .insert(Note, { text } as never)
      .then(
        () => 'committed',
        (error: Error) => error.name,
      );
    const there = (await notes.sql(`select from note where text = '${text}'`)).length === 1;
    expect(there).toBe(at === 'answer');
    expect(outcome).toBe('CommitOutcomeUnknownError');
  },
);
