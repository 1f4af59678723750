import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endOf, failedSteps, failedTests } from './failures.mjs';
import { countIn, countLine, countStage, countTests, sumCounts } from './summary.mjs';
import { exampleNames } from './examples.mjs';
import { root } from './paths.mjs';
import { runShown } from './shown.mjs';

/**
 * A part of the run. `count` reads from what it printed or left behind how many items of it passed and failed; without one
 * the stage is a single item; `failures` reads what failed, to say it again at the end.
 * @typedef {{ name: string, command: readonly [string, ...string[]], count?: (output: string) => import('./summary.mjs').Count | undefined, failures?: (output: string) => string[] }} Stage
 */

/** Runs every stage, then prints what failed, how each stage went and, last, the sum. Gives 1 when anything failed or nothing ran. */
export async function ci() {
  const scratch = mkdtempSync(join(tmpdir(), 'mikrokit-ci-'));
  const counts = [];
  const lines = [];
  const failures = [];

  try {
    for (const { name, command, count, failures: failed } of stages(join(scratch, 'tests.json'))) {
      console.log(`\n━━ ${name}: ${command.join(' ')}`);
      const started = performance.now();
      const { code, output } = await runShown(command);
      const counted = countStage(code, count?.(output));

      counts.push(counted);
      failures.push(...said(name, counted, failed?.(output) ?? [], output));
      lines.push(
        `${name.padEnd(20)} ${countLine(counted).padEnd(24)} ${((performance.now() - started) / 1000).toFixed(1)} s`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const sum = sumCounts(counts);
  if (failures.length > 0) {
    console.log(`\n━━ what failed\n${failures.join('\n')}`);
  }
  console.log(`\n━━ the whole run\n${lines.join('\n')}\n${countLine(sum)}`);
  return sum.failed > 0 || sum.passed === 0 ? 1 : 0;
}

/**
 * What failed of a stage; its last lines where it names nothing.
 * @param {string} name
 * @param {import('./summary.mjs').Count} count
 * @param {string[]} named
 * @param {string} output
 */
function said(name, { failed }, named, output) {
  return failed > 0 && named.length === 0 ? [endOf(name, output)] : named;
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
      count: () => (existsSync(report) ? countTests(readReport(report)) : undefined),
      failures: () => (existsSync(report) ? failedTests(readReport(report), root) : []),
    },
    { name: 'check', command: ['npm', 'run', 'check'], count: countIn, failures: failedSteps },
    { name: 'package', command: ['npm', 'run', 'package'], count: countIn, failures: failedSteps },
    { name: 'example atlas', command: ['npm', 'start', '--', '--once'] },
    ...otherExamples().map(name => ({
      name: `example ${name}`,
      command: /** @type {const} */ (['npm', 'run', 'example', name]),
    })),
  ];
}

/** @param {string} path */
function readReport(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Atlas has a stage of its own; every other example is one short program. */
function otherExamples() {
  return exampleNames().filter(name => name !== 'atlas');
}
