import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BeginAsk, CacheStore, Intent, ReadAsk } from '../store.ts';

/** A store to be tested, with nothing in it that a test could meet. */
export interface ConformanceSubject {
  /** Two views of the same data, as two processes have them; the same store twice where it is not `shared`. */
  readonly stores: readonly [CacheStore, CacheStore];
  /** Loses everything behind the stores' back, as a server that restarts does. Left out: it cannot be lost. */
  lose?(): Promise<void>;
  /** Ends what `createStore` started, after both stores were disposed of. */
  end?(): Promise<void>;
}

/** A test, and what it is called. */
export type ConformanceTest = readonly [name: string, run: (bench: Bench) => Promise<void>];

/** What a test works with. */
export class Bench {
  readonly subject: ConformanceSubject;
  readonly one: CacheStore;
  readonly two: CacheStore;
  /** For `read` and `begin`. */
  readonly ask: ReadAsk & BeginAsk = { registry: 'registry', key: 'key', tags: ['tag-1', 'tag-2'], ttl: 10_000 };

  constructor(subject: ConformanceSubject) {
    this.subject = subject;
    [this.one, this.two] = subject.stores;
  }

  /** Resolves when fills are allowed. */
  readonly settled = async (): Promise<void> => {
    const deadline = performance.now() + 10_000;
    while (!(await this.one.begin(this.ask)).settled) {
      assert.ok(performance.now() < deadline, 'begin() was not settled within 10 s');
      await sleep(10);
    }
  };
}

/** An intent that lives for 10 s, unless told otherwise. */
export function intent(id: string, tags: readonly string[], ttl = 10_000): Intent {
  return { id, tags, ttl };
}

/** How long a promise takes, in ms. */
export async function timed(promise: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await promise;
  return performance.now() - start;
}
