import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memberFolders } from './paths.mjs';
import { pnpmVersion } from './pnpm.mjs';

/**
 * A hash of everything an install depends on: lockfile, workspace file, every manifest, pnpm, and the platform
 * (a `node_modules` copied from another machine holds the wrong binaries).
 * @param {string} base the folder of the checkout
 */
export function installStamp(base) {
  const manifests = ['.', ...memberFolders(base)].map(folder => join(folder, 'package.json'));
  const hash = createHash('sha256').update(`${pnpmVersion} ${process.platform} ${process.arch}`);

  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests]) {
    const file = join(base, name);
    hash.update(`\0${name}\0`).update(existsSync(file) ? readFileSync(file) : 'absent');
  }
  return hash.digest('hex');
}

/**
 * Whether `node_modules` is what the lockfile asks for: the stamp is there, equal, and no member has lost its folder.
 * @param {string} base the folder of the checkout
 */
export function isInstalled(base) {
  const file = stampFile(base);
  const complete = memberFolders(base).every(
    folder => existsSync(join(base, folder, 'node_modules')) || !hasDependencies(base, folder),
  );
  return complete && existsSync(file) && readFileSync(file, 'utf8') === installStamp(base);
}

/**
 * Where the stamp lies: inside `node_modules`, so that deleting the one deletes the other.
 * @param {string} base the folder of the checkout
 */
export function stampFile(base) {
  return join(base, 'node_modules', '.mikrokit-install');
}

/**
 * @param {string} base
 * @param {string} folder
 */
function hasDependencies(base, folder) {
  const manifest = JSON.parse(readFileSync(join(base, folder, 'package.json'), 'utf8'));
  return Boolean(manifest.dependencies ?? manifest.devDependencies);
}
