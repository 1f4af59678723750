import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { Notes, type Routed } from '../fixtures/notes.ts';

let notes: Notes;
beforeEach(async () => {
  notes = await Notes.open(1);
});

const stateOf = ({ resolver }: Routed): string => resolver.snapshot().nodes[1]!.state;

async function lagging(options: object): Promise<{ routed: Routed; text: string }> {
  const routed = await notes.connect({ resolver: { maxLag: 1_000, consistency: 'eventual', ...options } });
  await notes.one.query('select pg_wal_replay_pause()');
  await sleep(200);
  const text = await notes.elsewhere();
  await expect.poll(() => stateOf(routed), { timeout: 10_000 }).toBe('lagging');
  return { routed, text };
}

test('G2: a replica that is known to be more than `maxLag` behind answers nothing, also when the primary dies', async () => {
  const { routed, text } = await lagging({ writeHold: 500 });
  await notes.primary.stop('immediate');
  await sleep(1_500);
  const seen = await routed.count(text).catch(() => 'refused');
  expect({ seen, state: stateOf(routed) }).toEqual({ seen: 'refused', state: 'lagging' });
});

test("onNoReplica 'stale': as 'primary', and if that cannot, 'eventual' reads go to the least late replica, also when there is no primary", async () => {
  const { routed, text } = await lagging({ onNoReplica: 'stale', writeHold: 300, heartbeat: 300, maxLag: 1_500 });
  const stopping = notes.primary.stop('immediate');
  await expect.poll(() => routed.heard('primary.lost').length, { interval: 2, timeout: 5_000 }).toBe(1);
  await stopping;
  expect(stateOf(routed)).toBe('lagging');
  expect(await routed.count(text)).toBe(0);
});
