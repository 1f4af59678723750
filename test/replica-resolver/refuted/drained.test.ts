import type { TopologyNode } from '@mikrokit/replica-resolver';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

test('a node that was undrained stays so after a reconnect, by whichever name', async () => {
  const { orm, resolver } = await notes.connect();
  resolver.drain(`127.0.0.1:${notes.one.port}`);
  resolver.undrain('one');
  await orm.reconnect();
  await orm.em.fork().count(Note, {});
  await resolver.ready();
  await expect.poll(() => resolver.snapshot().nodes[1]!.state).toBe('up');
});

test('a drained node of the topology stays so after a reconnect', async () => {
  const topology = (): TopologyNode[] => [{ name: 'pod', host: '127.0.0.1', port: notes.one.port }];
  const { orm, resolver } = await notes.connect({ replicas: [], early: true, resolver: { topology } });
  await resolver.ready();
  resolver.drain('pod');
  await orm.reconnect();
  await orm.em.fork().count(Note, {});
  await resolver.ready();
  await expect.poll(() => resolver.snapshot().nodes[1]?.state).not.toBe('unknown');
  expect(resolver.snapshot().nodes[1]!.state).toBe('draining');
});
