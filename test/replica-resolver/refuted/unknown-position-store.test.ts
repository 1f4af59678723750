import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
}, 120_000);

test('what was written is seen by the next session of the same key, also where its position is not known', async () => {
  // In memory, as Redis has it: of one cluster the higher position counts.
  const stored = new Map<string, string>();
  const place = (token: string): [bigint, number] => [
    BigInt(`0x${token.split('.')[3]}`),
    Number.parseInt(token.split('.')[4]!, 36),
  ];
  const tokenStore = {
    get: (key: string) => Promise.resolve(stored.get(key)),
    raise: (key: string, token: string) => {
      const there = stored.get(key);
      if (
        there === undefined ||
        place(there)[0] < place(token)[0] ||
        (place(there)[0] === place(token)[0] && place(there)[1] < place(token)[1])
      ) {
        stored.set(key, token);
      }
      return Promise.resolve();
    },
  };
  const { startProxy } = await import('../../harness/proxy.ts');
  const proxy = await startProxy(notes.primary.url(notes.database));
  const { orm, resolver, count } = await notes.connect({
    orm: { clientUrl: proxy.url(notes.database) },
    resolver: { tokenStore },
  });
  await resolver.run({ key: 'u' }, () => orm.em.fork().insert(Note, { text: notes.text() } as never));
  await notes.cluster.caughtUp();
  await notes.pause(notes.one);
  const text = notes.text();
  proxy.cut('commit', 'answer');
  await resolver.run({ key: 'u' }, async () => {
    await expect(orm.em.fork().transactional(em => em.insert(Note, { text } as never))).rejects.toThrow();
  });
  expect(await notes.sql(`select from note where text = '${text}'`)).toHaveLength(1);
  expect(await resolver.run({ key: 'u' }, () => count(text))).toBe(1);
});
