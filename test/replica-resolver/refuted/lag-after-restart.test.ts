import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test('G2: a replica falls out once it is more than `maxLag` behind, also when the primary was restarted after its replay had stopped', async () => {
  const notes = await Notes.open(1);
  const routed = await notes.connect({ resolver: { maxLag: 2_000 } });
  await notes.pause(notes.one);
  const text = await notes.elsewhere();
  await notes.primary.stop('fast');
  await expect.poll(() => routed.heard('primary.lost').length, { timeout: 5_000 }).toBe(1);
  await notes.primary.start();
  await expect.poll(() => routed.resolver.snapshot().primary, { timeout: 10_000 }).not.toBeUndefined();
  const end = performance.now() + 6_000;
  while (performance.now() < end) {
    await routed.orm.em.fork().insert(Note, { text: notes.text() } as never);
    await sleep(20);
  }
  const { state, lag, lagBytes } = routed.resolver.snapshot().nodes[1]!;
  const seen = await routed.orm.em.fork().count(Note, { text }, { consistency: 'eventual' });
  expect({ state, lag, lagBytes, seen }).toMatchObject({ state: 'lagging', seen: 1 });
});
