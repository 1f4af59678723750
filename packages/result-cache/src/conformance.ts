import { Bench, type ConformanceSubject, type ConformanceTest } from './conformance/bench.ts';
import { ENTRIES } from './conformance/entries.ts';
import { INTENTS } from './conformance/intents.ts';
import { LEASES } from './conformance/leases.ts';
import { LIFE } from './conformance/life.ts';
import { RACES } from './conformance/races.ts';
import { REGISTRIES } from './conformance/registries.ts';
import { VERSIONS } from './conformance/versions.ts';

export type { ConformanceSubject } from './conformance/bench.ts';

/** What {@link storeConformance} needs of a test framework: `test` of vitest and of node:test will do. */
export interface ConformanceOptions {
  /** Registers a test. */
  test(name: string, run: () => Promise<void>): unknown;
  /** Called for each test; the test disposes of what it gets. */
  createStore(): Promise<ConformanceSubject>;
}

/**
 * Tests of a `CacheStore`, one for each promise it makes (`conformance/`). They run on real time and take some seconds.
 *
 * ```ts
 * storeConformance({ test, createStore: async () => ({ stores: [myStore(), myStore()] }) });
 * ```
 */
export function storeConformance({ test, createStore }: ConformanceOptions): void {
  for (const [name, run] of TESTS) {
    test(name, async () => {
      const subject = await createStore();
      try {
        await run(new Bench(subject));
      } finally {
        await Promise.all(new Set(subject.stores.map(store => store.dispose())));
        await subject.end?.();
      }
    });
  }
}

const TESTS: readonly ConformanceTest[] = [
  ...LIFE,
  ...VERSIONS,
  ...ENTRIES,
  ...INTENTS,
  ...REGISTRIES,
  ...LEASES,
  ...RACES,
];
