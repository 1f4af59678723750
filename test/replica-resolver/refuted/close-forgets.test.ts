import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

test.each(['eventual', 'strong'] as const)(
  'a read (%s) that has begun when the ORM is closed ends, with an answer or an error',
  async consistency => {
    const { orm } = await notes.connect();
    const ended: Record<number, string> = {};
    for (const turns of [0, 20]) {
      // A connection is idle.
      await orm.em.fork().count(Note, {}, { consistency });
      const read = orm.em
        .fork()
        .count(Note, {}, { consistency })
        .then(
          () => 'ended',
          () => 'ended',
        );
      for (let turn = 0; turn < turns; turn++) {
        await Promise.resolve();
      }
      await orm.close();
      ended[turns] = await Promise.race([read, sleep(3_000, 'forgotten')]);
    }
    expect(ended).toEqual({ 0: 'ended', 20: 'ended' });
  },
);
