import { expect, test } from 'vitest';
import { compareWithLoneCalls } from './differential.ts';
import { createRandom } from './random.ts';

// One of two files, so that both cores take part. `MIKROKIT_SEED=n` repeats a run, `MIKROKIT_CASES=n` makes it longer.
const CASES = Number(process.env['MIKROKIT_CASES'] ?? 20_000) / 2;

test(`${CASES} random loads give what each gives alone (2 of 2)`, { timeout: 900_000 }, async () => {
  const random = createRandom(undefined, 1);
  console.log(`differential test 2: MIKROKIT_SEED=${random.seed}`);
  const { calls, statements, dirtyAlone } = await compareWithLoneCalls(random, CASES);
  console.log(
    `differential test 2: ${calls} calls, ${statements} statements; dirty in MikroORM itself: ${[...dirtyAlone].join(', ')}`,
  );
  expect(calls).toBeGreaterThanOrEqual(CASES);
  expect(statements).toBeLessThan(calls);
});
