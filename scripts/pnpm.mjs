import { spawnSync } from 'node:child_process';

/**
 * The pnpm of this repository, named here and nowhere else. Not in `packageManager`: with that pin
 * `pnpm install --frozen-lockfile` failed on 12.21, and a newcomer's npm would ignore it anyway.
 */
export const pnpmVersion = '12.21.0';

/**
 * The command line that runs the pinned pnpm: an installed one if it is exactly that version, else one that npm fetches.
 * @param {readonly string[]} args
 * @returns {[command: string, ...args: string[]]}
 */
export function pnpmCommand(args) {
  const installed = spawnSync('pnpm', ['--version'], { encoding: 'utf8' });

  if (installed.status === 0 && installed.stdout.trim() === pnpmVersion) {
    return ['pnpm', ...args];
  }
  return ['npm', 'exec', '--yes', `--package=pnpm@${pnpmVersion}`, '--', 'pnpm', ...args];
}
