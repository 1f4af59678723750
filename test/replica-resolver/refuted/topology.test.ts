import { setTimeout as sleep } from 'node:timers/promises';
import type { TopologyNode } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { startProxy } from '../../harness/proxy.ts';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

test('a node that the topology names has the address that the topology says now', async () => {
  await using old = await startProxy(notes.one.url(notes.database));
  let nodes: TopologyNode[] = [{ name: 'pod-1', host: '127.0.0.1', port: old.port }];
  const routed = await notes.connect({ replicas: [], resolver: { topology: () => nodes, topologyInterval: 100 } });
  const node = () => routed.resolver.snapshot().nodes.find(({ name }) => name === 'pod-1');
  await expect.poll(() => node()?.state).toBe('up');
  // The pod is gone, and comes back elsewhere under the same name.
  await old.refuse();
  nodes = [{ name: 'pod-1', host: '127.0.0.1', port: notes.one.port }];
  await sleep(3_000);
  expect(node()).toMatchObject({ address: `127.0.0.1:${notes.one.port}`, state: expect.stringMatching(/up|warming/) });
});

test('a node that the topology names has the weight and the zone that the topology says now', async () => {
  let node: TopologyNode = { name: 'pod-1', host: '127.0.0.1', port: notes.one.port, zone: 'a' };
  const routed = await notes.connect({ replicas: [], resolver: { topology: () => [node], topologyInterval: 100 } });
  const now = () => routed.resolver.snapshot().nodes.slice(1);
  await expect.poll(now).toMatchObject([{ name: 'pod-1', weight: 1, zone: 'a', state: 'up' }]);
  node = { ...node, weight: 3 };
  await expect.poll(now).toMatchObject([{ name: 'pod-1', weight: 3, zone: 'a', state: 'up' }]);
  node = { ...node, zone: 'b', name: 'pod-2' };
  await expect.poll(now).toMatchObject([{ name: 'pod-2', weight: 3, zone: 'b', state: 'up' }]);
});

test('a node that the topology names twice, in whatever order, is one node that stays', async () => {
  const here = { host: '127.0.0.1', port: notes.one.port };
  let nodes: TopologyNode[] = [
    { ...here, name: 'a' },
    { ...here, name: 'b' },
  ];
  const topology = (): TopologyNode[] => (nodes = nodes.toReversed());
  const routed = await notes.connect({ replicas: [], resolver: { topology, topologyInterval: 100 } });
  await expect.poll(() => routed.resolver.snapshot().nodes[1]?.state).toBe('up');
  const told = routed.heard('node.state').length;
  await sleep(500);
  expect(routed.resolver.snapshot().nodes).toHaveLength(2);
  expect(routed.heard('node.state')).toHaveLength(told);
});

test('ready(timeout) takes no longer than it was told, whatever the topology does', async () => {
  const routed = await notes.connect({
    early: true,
    resolver: { topology: () => new Promise<never>(() => undefined) },
  });
  const ready = routed.resolver.ready(300).catch(() => undefined);
  expect(await Promise.race([ready.then(() => 'ended'), sleep(3_000, 'still waiting')])).toBe('ended');
});

test('a topology that cannot be asked is an event, whatever it throws: no unhandled rejection ends the process', async () => {
  const theirs = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', reason => void unhandled.push(reason));
  try {
    const routed = await notes.connect({
      early: true,
      resolver: { topology: () => Promise.reject(), topologyInterval: 100 },
    });
    await routed.orm.em.fork().count(Note, {});
    await sleep(300);
    expect(unhandled).toEqual([]);
    expect(routed.heard('topology.failed').length).toBeGreaterThan(1);
  } finally {
    process.removeAllListeners('unhandledRejection');
    theirs.forEach(each => process.on('unhandledRejection', each));
  }
});
