import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { root } from './paths.mjs';
import { pnpmCommand, pnpmVersion } from './pnpm.mjs';
import { installStamp, isInstalled, stampFile } from './stamp.mjs';
import { UserError } from './user-error.mjs';

/** Brings `node_modules` to what the lockfile says. Does nothing, in milliseconds, when it already is. */
export async function ensureInstalled() {
  if (isInstalled(root)) {
    return;
  }
  const started = performance.now();
  console.error(
    `Installing the dependencies with pnpm ${pnpmVersion} (frozen lockfile; the first time takes a minute) …`,
  );

  // Without its stamp an interrupted install is an unfinished one.
  rmSync(stampFile(root), { force: true });
  await frozenInstall();
  writeFileSync(stampFile(root), installStamp(root));
  console.error(`Installed in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

async function frozenInstall() {
  const [command, ...args] = pnpmCommand(['install', '--frozen-lockfile', '--reporter=append-only']);
  const { code, output } = await collect(command, args);

  if (code === 0) {
    return;
  }
  if (output.includes('ERR_PNPM_OUTDATED_LOCKFILE')) {
    throw new UserError(
      `${tail(output)}\n\npnpm-lock.yaml does not match the manifests, and an install here never changes it.\n` +
        'If you changed a package.json or pnpm-workspace.yaml, run `npm run pnpm install` and commit the new lockfile.',
    );
  }
  throw new UserError(`${tail(output)}\n\nThe install failed (pnpm ended with ${code}; its last lines are above).`);
}

/**
 * pnpm's own progress is of interest only when it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function collect(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CI: 'true' },
    });
    let output = '';
    child.stdout.on('data', data => (output += data));
    child.stderr.on('data', data => (output += data));
    child.once('error', error => reject(new UserError(`Could not start ${command}: ${error.message}`)));
    child.once('close', code => resolve({ code, output }));
  });
}

/** @param {string} output */
function tail(output) {
  return output.trimEnd().split('\n').slice(-25).join('\n');
}
