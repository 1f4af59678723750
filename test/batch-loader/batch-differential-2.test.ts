import { expect, test } from 'vitest';
import { compareWithLoneReads, progressOf, summary } from './batch-differential.ts';
import { createRandom } from './random.ts';

// One of two files, so that both cores take part. `MIKROKIT_SEED=n` repeats a run, `MIKROKIT_CASES=n` makes it longer.
const CASES = Number(process.env['MIKROKIT_CASES'] ?? 100_000) / 2;

test(`${CASES} random reads in windows give what each gives alone (2 of 2)`, { timeout: 7_200_000 }, async () => {
  const random = createRandom(undefined, 1);
  console.log(`batch differential test 2: MIKROKIT_SEED=${random.seed}`);
  const totals = await compareWithLoneReads(random, CASES, progressOf('batch differential test 2', CASES));
  console.log(`batch differential test 2: ${summary(totals)}`);
  expect(totals.mismatches.join('\n\n')).toBe('');
  expect(totals.reads).toBeGreaterThanOrEqual(CASES);
  expect([...totals.strategies.keys()].toSorted()).toEqual([
    'alone',
    'any',
    'exists',
    'group',
    'join',
    'lateral',
    'window',
  ]);
  // Of those that could be: equal ones, single ones and odd values are sent alone.
  expect(totals.strategies.get('alone')! / totals.reads).toBeLessThan(0.3);
  expect(totals.statements).toBeLessThan(totals.reads / 2);
});
