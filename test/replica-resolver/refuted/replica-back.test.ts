import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Note, Notes } from '../fixtures/notes.ts';

test('the primary is gone: reads go on, on a replica that comes back while they wait', async () => {
  const notes = await Notes.open(1);
  const routed = await notes.connect({ resolver: { writeHold: 30_000 } });
  const { orm } = routed;
  await notes.one.stop('fast');
  await notes.primary.stop('immediate');
  await expect.poll(() => routed.heard('primary.lost').length).toBe(1);
  await sleep(300);
  const began = performance.now();
  const read = orm.em
    .fork()
    .count(Note, {}, { consistency: 'eventual' })
    .then(
      () => 'answered',
      (error: Error) => `${Math.round(performance.now() - began)} ms: ${error.message}`,
    );
  await notes.one.start();
  await expect.poll(() => routed.resolver.snapshot().nodes[1]!.state, { timeout: 20_000 }).toMatch(/up|warming/);
  expect(await orm.em.fork().count(Note, {}, { consistency: 'eventual' })).toBeGreaterThanOrEqual(0);
  expect(await read).toBe('answered');
});
