import { spawn } from 'node:child_process';
import { childEnvironment, findNode } from './node.mjs';
import { root } from './paths.mjs';
import { countLine } from './summary.mjs';

/**
 * One program to run under the pinned Node, with the name its line gets.
 * @typedef {{ name: string, args: readonly string[], prepare?: () => void }} Step
 */

/**
 * Runs the steps one after another, each to its line of `ok`/`FAILED`, name and duration. What a step printed is shown only
 * if it failed. Ends with `N passed, N failed`; the exit code is 1 if any failed or there was none to run.
 * @param {readonly Step[]} steps
 */
export async function runSteps(steps) {
  const count = { passed: 0, failed: 0 };

  for (const step of steps) {
    step.prepare?.();
    const started = performance.now();
    const { code, output } = await runQuietly(step.args);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);

    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${step.name.padEnd(32)} ${seconds.padStart(6)} s`);
    if (code !== 0) {
      console.log(output.trimEnd().replace(/^/gm, '       '));
    }
    count[code === 0 ? 'passed' : 'failed'] += 1;
  }
  console.log(countLine(count));
  return count.failed > 0 || count.passed === 0 ? 1 : 0;
}

/**
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number, output: string }>}
 */
function runQuietly(args) {
  const node = findNode();
  const child = spawn(node, args, { cwd: root, env: childEnvironment(node), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', data => (output += data));
  child.stderr.on('data', data => (output += data));

  return new Promise(resolve => {
    child.once('error', error => resolve({ code: 1, output: error.message }));
    child.once('close', code => resolve({ code: code ?? 1, output }));
  });
}
