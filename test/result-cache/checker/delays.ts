import { setTimeout as sleep } from 'node:timers/promises';

/** The most that is waited between two steps whose order matters, in ms. */
const MOST_DELAY = 8;

/** Lets others come in between, or not. */
export async function randomDelay(): Promise<void> {
  if (Math.random() < 0.8) {
    await sleep(Math.random() * MOST_DELAY);
  }
}
