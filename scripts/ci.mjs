import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countIn, countLine, countStage, countTests, sumCounts } from './summary.mjs';
import { exampleNames } from './examples.mjs';
import { runShown } from './shown.mjs';

/**
 * A part of the run. `count` reads from what it printed or left behind how many items of it passed and failed; without one
 * the stage is a single item.
 * @typedef {{ name: string, command: readonly [string, ...string[]], count?: (output: string) => import('./summary.mjs').Count | undefined }} Stage
 */

/** Runs every stage, then prints how each went and, last, the sum. Gives 1 when anything failed or nothing ran. */
export async function ci() {
  const scratch = mkdtempSync(join(tmpdir(), 'mikrokit-ci-'));
  const counts = [];
  const lines = [];

  try {
    for (const { name, command, count } of stages(join(scratch, 'tests.json'))) {
      console.log(`\n━━ ${name}: ${command.join(' ')}`);
      const started = performance.now();
      const { code, output } = await runShown(command);
      const counted = countStage(code, count?.(output));

      counts.push(counted);
      lines.push(
        `${name.padEnd(20)} ${countLine(counted).padEnd(24)} ${((performance.now() - started) / 1000).toFixed(1)} s`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const sum = sumCounts(counts);
  console.log(`\n━━ the whole run\n${lines.join('\n')}\n${countLine(sum)}`);
  return sum.failed > 0 || sum.passed === 0 ? 1 : 0;
}

/**
 * @param {string} report where vitest leaves its JSON
 * @returns {Stage[]}
 */
function stages(report) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  return [
    {
      name: 'tests',
      command: ['npm', 'test', '--', ...reporters],
      count: () => (existsSync(report) ? countTests(JSON.parse(readFileSync(report, 'utf8'))) : undefined),
    },
    { name: 'check', command: ['npm', 'run', 'check'], count: countIn },
    { name: 'package', command: ['npm', 'run', 'package'], count: countIn },
    { name: 'example atlas', command: ['npm', 'start', '--', '--once'] },
    ...otherExamples().map(name => ({
      name: `example ${name}`,
      command: /** @type {const} */ (['npm', 'run', 'example', name]),
    })),
  ];
}

/** Atlas has a stage of its own; every other example is one short program. */
function otherExamples() {
  return exampleNames().filter(name => name !== 'atlas');
}
