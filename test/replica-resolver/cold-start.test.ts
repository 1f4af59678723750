import { expect, test } from 'vitest';
import { startProxy } from '../harness/proxy.ts';
import { Notes } from './fixtures/notes.ts';
import { openReplicated } from './fixtures/open-replicated.ts';
import { entities } from './fixtures/shelf.ts';

test('at the start no replica has a slow start, also if it is the last to answer', async () => {
  const servers = await openReplicated();
  const [first, last] = servers.replicas;
  await using near = await startProxy(first!.clientUrl);
  await using far = await startProxy(last!.clientUrl);
  await near.delay(20);
  await far.delay(60);
  const { resolver } = await servers.open({
    entities,
    replicas: [
      { name: 'near', clientUrl: near.url() },
      { name: 'far', clientUrl: far.url() },
    ],
  });
  expect(resolver.snapshot().nodes.map(({ state, ramp }) => [state, ramp])).toEqual([
    ['primary', 1],
    ['up', 1],
    ['up', 1],
  ]);
});

test('at the start no replica has a slow start, also if it is a moment behind', async () => {
  const notes = await Notes.open(2);
  await notes.pause(notes.two);
  await notes.elsewhere();
  const { resolver, heard } = await notes.connect({ early: true, resolver: { slowStart: 30_000 } });
  await resolver.ready();
  await notes.resume(notes.two);
  await expect.poll(() => resolver.snapshot().nodes[2]!.state, { interval: 5, timeout: 5_000 }).toBe('up');
  expect(heard('node.state').map(({ to }) => to)).not.toContain('warming');
});
