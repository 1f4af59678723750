import { AsyncLocalStorage } from 'node:async_hooks';

const ROUNDS = 7;
const QUERIES = 300;

/**
 * What recording costs for each query, in µs: `record` is made to run on nothing, for a few milliseconds together, outside
 * of any request. The least of some rounds, since the machine does other things, too.
 */
export function measureOwnCost(record: () => void): number {
  return AsyncLocalStorage.snapshot()(() => {
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round++) {
      const begun = performance.now();
      for (let query = 0; query < QUERIES; query++) {
        record();
      }
      least = Math.min(least, ((performance.now() - begun) * 1000) / QUERIES);
    }
    return least;
  });
}
