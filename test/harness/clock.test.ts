import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { manualClock } from './clock.ts';

test('stands still until it is advanced', async () => {
  const clock = manualClock(1_000);
  await sleep(5);
  expect(clock.now()).toBe(1_000);
  await clock.advance(250);
  expect(clock.now()).toBe(1_250);
});

test('runs timers in order of time, then of creation, each at its own time', async () => {
  const clock = manualClock();
  const ran: string[] = [];
  const note = (name: string) => () => void ran.push(`${name} at ${clock.now()}`);
  clock.setTimeout(note('c'), 30);
  clock.setTimeout(note('a'), 10);
  clock.setTimeout(note('b'), 10);
  clock.setTimeout(note('late'), 31);
  await clock.advance(30);
  expect(ran).toEqual(['a at 10', 'b at 10', 'c at 30']);
  expect(clock.pending).toBe(1);
});

test('a cleared timer never runs, a timer without a delay runs at the next advance', async () => {
  const clock = manualClock();
  const ran: string[] = [];
  const timer = clock.setTimeout(() => ran.push('cleared'), 5);
  clock.setTimeout(() => ran.push('kept'));
  clock.clearTimeout(timer);
  clock.clearTimeout(undefined);
  expect(ran).toEqual([]);
  await clock.advance(0);
  await clock.advance(10);
  expect(ran).toEqual(['kept']);
});

test('lets promises settle between timers: a loop that sleeps runs as often as it would', async () => {
  const clock = manualClock();
  const woke: number[] = [];
  const loop = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      await new Promise<void>(resolve => clock.setTimeout(resolve, 100));
      await Promise.resolve().then(() => Promise.resolve());
      woke.push(clock.now());
    }
  };
  void loop();
  await clock.advance(350);
  expect(woke).toEqual([100, 200, 300]);
  expect(clock.now()).toBe(350);
});

test('does not run backwards', async () => {
  await expect(manualClock().advance(-1)).rejects.toThrow(
    'advance(ms) expects a number of at least 0, but got -1: time does not run backwards.',
  );
});
