import { expect, test } from 'vitest';
import { startProxy } from '../../harness/proxy.ts';
import { Notes } from '../fixtures/notes.ts';

test('the same server twice: when the way to it that is used is cut, the other one serves', async () => {
  const notes = await Notes.open(1);
  await using a = await startProxy(notes.one.url(notes.database));
  await using b = await startProxy(notes.one.url(notes.database));
  const { resolver } = await notes.connect({
    replicas: [
      { name: 'a', clientUrl: a.url(notes.database) },
      { name: 'b', clientUrl: b.url(notes.database) },
    ],
    early: true,
  });
  const states = (): Record<string, string> =>
    Object.fromEntries(resolver.snapshot().nodes.map(({ name, state }) => [name, state]));
  await resolver.ready();
  await expect.poll(() => Object.values(states()).toSorted()).toEqual(['fenced', 'primary', 'up']);
  const [used, other] = states()['a'] === 'up' ? ([a, 'b'] as const) : ([b, 'a'] as const);
  await used.refuse();
  await expect.poll(() => states()[other], { timeout: 5_000 }).toMatch(/up|warming/);
});
