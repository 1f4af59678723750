import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Blame, isolate } from '../../packages/batch-loader/src/isolate.ts';

interface Outcome {
  /** The items of each run, in order. */
  readonly runs: number[][];
  /** The items that failed, with the messages of their errors. */
  readonly failed: [number, string][];
  /** The items of the runs that went well. */
  readonly succeeded: number[];
}

/** Isolates among `0 … count-1`; a run fails if one of its items is bad, with the error of the first of those. */
async function isolated(count: number, bad: readonly number[], blame: Blame): Promise<Outcome> {
  const runs: number[][] = [];
  const succeeded: number[] = [];
  const failed = await isolate(
    Array.from({ length: count }, (_, item) => item),
    async items => {
      runs.push([...items]);
      // As a query does, it ends later than it began.
      await Promise.resolve();
      const culprit = items.find(item => bad.includes(item));
      if (culprit !== undefined) {
        throw new Error(`bad ${culprit}`);
      }
      succeeded.push(...items);
    },
    () => blame,
  );
  return { runs, failed: [...failed].map(([item, error]) => [item, (error as Error).message]), succeeded };
}

const sorted = (items: readonly number[]): number[] => items.toSorted((a, b) => a - b);

const someBad = fc
  .integer({ min: 1, max: 70 })
  .chain(count => fc.tuple(fc.constant(count), fc.subarray(Array.from({ length: count }, (_, item) => item))));

describe("when a value is to blame ('value')", () => {
  test('exactly the bad items fail, each with its own error, and every other succeeds once', async () => {
    await fc.assert(
      fc.asyncProperty(someBad, async ([count, bad]) => {
        const { failed, succeeded } = await isolated(count, bad, 'value');
        expect(failed.toSorted(([a], [b]) => a - b)).toEqual(bad.map(item => [item, `bad ${item}`]));
        expect(sorted(succeeded)).toEqual(
          Array.from({ length: count }, (_, item) => item).filter(item => !bad.includes(item)),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('one bad item of n costs at most 2·log2(n) more runs', async () => {
    for (let count = 1; count <= 130; count++) {
      for (const bad of new Set([0, 1, count >> 1, count - 1])) {
        const { runs } = await isolated(count, [bad], 'value');
        expect(runs.length, `item ${bad} of ${count}`).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(count)));
      }
    }
  });

  test('halves are tried in turn', async () => {
    const { runs } = await isolated(8, [2], 'value');
    expect(runs).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [0, 1], [2, 3], [2], [3], [4, 5, 6, 7]]);
  });

  test('nothing is run again when nothing fails', async () => {
    expect(await isolated(3, [], 'value')).toEqual({ runs: [[0, 1, 2]], failed: [], succeeded: [0, 1, 2] });
  });

  test('a single item is not run again', async () => {
    expect(await isolated(1, [0], 'value')).toEqual({ runs: [[0]], failed: [[0, 'bad 0']], succeeded: [] });
  });
});

describe("when no item is to blame ('shared')", () => {
  test('nothing is run again, and all fail with the one error', async () => {
    await fc.assert(
      fc.asyncProperty(someBad, async ([count, bad]) => {
        fc.pre(bad.length > 0);
        const all = Array.from({ length: count }, (_, item) => item);
        expect(await isolated(count, bad, 'shared')).toEqual({
          runs: [all],
          failed: all.map(item => [item, `bad ${bad[0]}`]),
          succeeded: [],
        });
      }),
    );
  });

  test('a half that fails so is left at that', async () => {
    const runs: string[] = [];
    const failed = await isolate(
      ['a', 'b', 'c', 'd'],
      items => {
        runs.push(items.join(''));
        return Promise.reject(new Error(items.length === 4 ? 'bad value' : 'connection lost'));
      },
      error => ((error as Error).message === 'bad value' ? 'value' : 'shared'),
    );
    expect(runs).toEqual(['abcd', 'ab', 'cd']);
    expect([...failed].map(([item, error]) => `${item}: ${(error as Error).message}`)).toEqual([
      'a: connection lost',
      'b: connection lost',
      'c: connection lost',
      'd: connection lost',
    ]);
  });
});

describe("when probably all are to blame ('shape')", () => {
  test('three samples that fail too are enough', async () => {
    const all = Array.from({ length: 100 }, (_, item) => item);
    const { runs, failed, succeeded } = await isolated(100, all, 'shape');
    expect(runs).toEqual([all, [0], [50], [99]]);
    expect(failed).toEqual(all.map(item => [item, 'bad 0']));
    expect(succeeded).toEqual([]);
  });

  test('a sample that succeeds ends the sampling, and halves are tried', async () => {
    const { runs } = await isolated(4, [1], 'shape');
    expect(runs).toEqual([[0, 1, 2, 3], [0], [0, 1], [0], [0], [1], [2, 3]]);
  });

  test('one bad item that is not a sample fails alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 70 }), fc.nat(), async (count, at) => {
        const { failed, succeeded } = await isolated(count, [at % count], 'shape');
        expect(failed).toEqual([[at % count, `bad ${at % count}`]]);
        expect(new Set(succeeded).size).toBe(count - 1);
      }),
    );
  });

  test('two items are never sampled twice', async () => {
    const { runs, failed } = await isolated(2, [0, 1], 'shape');
    expect(runs).toEqual([[0, 1], [0], [1]]);
    expect(failed.map(([item]) => item)).toEqual([0, 1]);
  });
});
