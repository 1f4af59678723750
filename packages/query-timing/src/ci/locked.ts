import { closeSync, openSync, rmSync, statSync } from 'node:fs';

/** Who has held a lock for so long, in ms, has died with it: what is done under one takes some ms. */
const STALE = 10_000;
const PAUSE = 10;

/**
 * Runs `fn` while no other process does the same under this name: the file exists as long as somebody does. Waits for its
 * turn without giving up the thread.
 */
export function locked<T>(path: string, fn: () => T): T {
  while (!taken(path)) {
    if (isStale(path)) {
      rmSync(path, { force: true });
    } else {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
  }
  try {
    return fn();
  } finally {
    rmSync(path, { force: true });
  }
}

function taken(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

function isStale(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs > STALE;
  } catch {
    // It was given back in between.
    return false;
  }
}
