import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { root } from './paths.mjs';

/** Longer than any stage takes: a stage that hangs is a failure of this run, not the end of it. */
const limitMs = 35 * 60_000;

/**
 * Runs a program without input, shows what it prints as it prints it, and gives it back with the exit code.
 * @param {readonly [command: string, ...args: string[]]} command
 * @param {number} [limit] milliseconds after which it is told to stop; ten seconds later it is made to
 * @returns {Promise<{ code: number, output: string }>}
 */
export function runShown([command, ...args], limit = limitMs) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const timers = [setTimeout(() => endLate('SIGTERM'), limit), setTimeout(() => endLate('SIGKILL'), limit + 10_000)];
  let output = '';

  for (const [from, to] of /** @type {const} */ ([
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ])) {
    from.on('data', data => {
      output += from === child.stdout ? data : '';
      to.write(data);
    });
  }
  /** @param {NodeJS.Signals} signal */
  const stop = signal => {
    signalGroup(child, signal);
    process.exit(128 + constants.signals[signal]);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);

  return new Promise(resolve => {
    child.once('error', error => finish(1, error.message));
    child.once('close', code => finish(code ?? 1, ''));

    /**
     * @param {number} code
     * @param {string} message
     */
    function finish(code, message) {
      timers.forEach(clearTimeout);
      process.off('SIGINT', stop).off('SIGTERM', stop);
      resolve({ code, output: output + message });
    }
  });

  /** @param {NodeJS.Signals} signal */
  function endLate(signal) {
    console.log(`\n${command} ${args.join(' ')} has run for ${Math.round(limit / 1000)} s, too long: ${signal}`);
    signalGroup(child, signal);
  }
}

/**
 * npm, its shell and what they started: all of them are the stage.
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function signalGroup(child, signal) {
  if (child.pid && child.exitCode === null) {
    process.kill(-child.pid, signal);
  }
}
