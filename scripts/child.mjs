import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { root } from './paths.mjs';
import { UserError } from './user-error.mjs';

/** One Ctrl-C reaches us twice (from the terminal, and again from npm): within this time it is the same one. */
const sameSignalMs = 500;

/**
 * Runs a program to its end and gives its exit code (128 + n when signal n ended it). Signals to us go on to it, once.
 *
 * The child has a process group of its own. In ours a terminal's Ctrl-C would reach it directly and again through npm and
 * through us, and programs take a second Ctrl-C as "now, without cleaning up".
 * @param {readonly [command: string, ...args: string[]]} command
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<number>}
 */
export function runChild([command, ...args], { env = process.env, cwd = root } = {}) {
  const child = spawn(command, args, { stdio: 'inherit', env, cwd, detached: true });
  const stopForwarding = forwardSignals(child);

  return new Promise((resolve, reject) => {
    child.once('error', error => {
      stopForwarding();
      reject(new UserError(`Could not start ${command}: ${error.message}`));
    });
    child.once('exit', (code, signal) => {
      stopForwarding();
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

/** @param {import('node:child_process').ChildProcess} child */
function forwardSignals(child) {
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
  const forwarders = signals.map(signal => {
    let last = -Infinity;
    const forward = () => {
      const now = performance.now();
      if (now - last > sameSignalMs) {
        child.kill(signal);
      }
      last = now;
    };
    process.on(signal, forward);
    return /** @type {const} */ ([signal, forward]);
  });

  return () => forwarders.forEach(([signal, forward]) => process.off(signal, forward));
}
