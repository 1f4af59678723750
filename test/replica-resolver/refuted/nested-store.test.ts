import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenStore } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(2);
}, 120_000);

test('an inner session knows what the outer one was given, also by a store that answers later', async () => {
  let token = '';
  const tokenStore: TokenStore = {
    get: async () => {
      await sleep(50);
      return token;
    },
    raise: () => Promise.resolve(),
  };
  const { orm, resolver, count } = await notes.connect({ resolver: { tokenStore } });
  await notes.pause(notes.one, notes.two);
  const text = notes.text();
  await resolver.run({}, async () => {
    await orm.em.fork().insert(Note, { text } as never);
    token = resolver.token()!;
  });
  expect(await resolver.run({ key: 'u' }, () => count(text))).toBe(1);
  expect(await resolver.run({ key: 'u' }, () => resolver.run({ consistency: 'session' }, () => count(text)))).toBe(1);
});

test('an inner session is on the primary, too, when the store of the outer one does not answer', async () => {
  const tokenStore: TokenStore = {
    get: async () => {
      await sleep(50);
      throw new Error('down');
    },
    raise: () => Promise.resolve(),
  };
  const { resolver, count, routes } = await notes.connect({ resolver: { tokenStore } });
  await resolver.run({ key: 'u' }, () => resolver.run({}, () => count('x')));
  expect(routes()).toEqual(['primary: primary-pinned']);
});
