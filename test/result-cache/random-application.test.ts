import { expect, test } from 'vitest';
import { SEED } from '../harness/seed.ts';
import type { Findings } from './random-application/task.ts';
import { runApplication } from './random-application/run.ts';
import { WRITES } from './random-application/writes.ts';

/*
 * Several processes write at random in every way MikroORM has, and compare what they read through the cache with what the
 * database says. `MIKROKIT_SEED=n` repeats the calls of a run (not how they meet), `MIKROKIT_CASES=n` makes it longer;
 * `npm run test:long` draws new ones.
 */
const COMPARISONS = Number(process.env['MIKROKIT_CASES'] ?? 100_000) / 25;
const TIMEOUT = 7_200_000;

test('cached reads are what the database says, whatever is written', { timeout: TIMEOUT }, async () => {
  console.log(`random application: MIKROKIT_SEED=${SEED}`);
  const log = (line: string): void => console.log(`random application: ${line}`);
  const findings = await runApplication({
    seed: SEED,
    comparisons: COMPARISONS,
    writes: 12 * WRITES.length,
    processes: 4,
    log,
  });
  log(summary(findings));
  expect(findings.mismatches.join('\n\n')).toBe('');
  // The rest would not prove much if the cache were never asked, always empty, or hardly ever compared.
  expect(findings.conclusive).toBeGreaterThanOrEqual(COMPARISONS);
  expect(findings.conclusive / (findings.conclusive + findings.inconclusive)).toBeGreaterThan(0.2);
  expect(hitRate(findings)).toBeGreaterThan(0.3);
  const { written, refused } = findings;
  expect(WRITES.map(({ name }) => name).filter(name => (written[name] ?? refused[name]) === undefined)).toEqual([]);
  // No way to write is one that always fails, but for one.
  expect(Object.keys(written).length).toBeGreaterThan(WRITES.length - 5);
  expect(refused['flush: fails as a whole']).toBeGreaterThan(0);
  expect(written['clone'], 'clone').toBeGreaterThan(0);
});

test.for(['keeps the versions', 'forgets some tags'] as const)(
  'a store that %s when a write is over is noticed',
  { timeout: TIMEOUT },
  async flaw => {
    const findings = await runApplication({ seed: SEED, comparisons: 1_000, writes: 100, processes: 2, flaw });
    console.log(
      `random application, ${flaw}: ${findings.mismatches.length} mismatches, the first:\n${findings.mismatches[0]}`,
    );
    expect(findings.mismatches.length).toBeGreaterThan(0);
  },
);

function hitRate({ hits, misses }: Findings): number {
  return hits / Math.max(1, hits + misses);
}

function summary(findings: Findings): string {
  const { conclusive, inconclusive, mismatches, written, refused } = findings;
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  return [
    `${conclusive} conclusive comparisons, ${inconclusive} inconclusive, ${mismatches.length} mismatches,`,
    `hit rate ${(hitRate(findings) * 100).toFixed(1)} %, ${sum(written)} writes of ${Object.keys(written).length} kinds,`,
    `${sum(refused)} refused; past the cache: ${JSON.stringify(findings.bypassReasons)}`,
  ].join(' ');
}
