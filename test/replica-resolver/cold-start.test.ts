import { expect, test } from 'vitest';
import { startProxy } from '../harness/proxy.ts';
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
