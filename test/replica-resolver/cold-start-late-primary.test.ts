import { expect, test } from 'vitest';
import { startProxy } from '../harness/proxy.ts';
import { openReplicated } from './fixtures/open-replicated.ts';
import { entities } from './fixtures/shelf.ts';

test('ready() is after each node was measured, also a replica that has answered before the primary', async () => {
  const servers = await openReplicated();
  const [early, late] = servers.replicas;
  await using primary = await startProxy(servers.url);
  await using far = await startProxy(late!.clientUrl);
  await primary.delay(8);
  await far.delay(16);
  const { resolver } = await servers.open({
    entities,
    url: primary.url(),
    replicas: [{ ...early! }, { name: 'far', clientUrl: far.url() }],
  });
  const states = (): string[] => resolver.snapshot().nodes.map(({ state }) => state);
  const atReady = states();
  await expect.poll(states, { timeout: 5_000 }).not.toContain('unknown');
  expect({ atReady, later: states() }).toEqual({ atReady: ['primary', 'up', 'up'], later: ['primary', 'up', 'up'] });
});
