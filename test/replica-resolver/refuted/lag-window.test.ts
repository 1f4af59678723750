import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { Note, Notes, type Routed } from '../fixtures/notes.ts';

let notes: Notes;
beforeAll(async () => {
  notes = await Notes.open(1);
});

const stateOf = ({ resolver }: Routed): string =>
  resolver.snapshot().nodes.map(({ state, lag }) => `${state} ${lag === undefined ? 'lag unknown' : 'lag known'}`)[1]!;

test('G2: a replica that is known to be more than `maxLag` behind answers nothing, with a heartbeat of 20 ms', async () => {
  const routed = await notes.connect({ resolver: { heartbeat: 20, maxLag: 3_000 } });
  await notes.pause(notes.one);
  const text = await notes.elsewhere();
  const end = performance.now() + 8_000;
  while (performance.now() < end) {
    await routed.orm.em.fork().insert(Note, { text: notes.text() } as never);
    await sleep(5);
  }
  expect(stateOf(routed)).toBe('lagging lag known');
  expect(await routed.orm.em.fork().count(Note, { text }, { consistency: 'eventual' })).toBe(1);
});

test('G2: … with the defaults, while others read with { bounded: 20 }', { timeout: 60_000 }, async () => {
  const routed = await notes.connect({ resolver: { heartbeat: 1_000 } });
  await notes.pause(notes.one);
  const text = await notes.elsewhere();
  const end = performance.now() + 16_000;
  while (performance.now() < end) {
    await routed.orm.em.fork().insert(Note, { text: notes.text() } as never);
    await routed.orm.em.fork().count(Note, {}, { consistency: { bounded: 20 } });
  }
  expect(stateOf(routed)).toBe('lagging lag known');
  expect(await routed.orm.em.fork().count(Note, { text }, { consistency: 'eventual' })).toBe(1);
});
