import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * The folders of the workspace members, root excluded, as `pnpm-workspace.yaml` lists them. Relative to the root, sorted.
 * @param {string} [base]
 */
export function memberFolders(base = root) {
  return ['examples', 'packages', 'test']
    .flatMap(name => (name === 'test' ? [name] : childrenOf(base, name)))
    .filter(hasManifest);

  /** @param {string} folder */
  function hasManifest(folder) {
    return existsSync(join(base, folder, 'package.json'));
  }
}

/**
 * @param {string} base
 * @param {string} folder
 */
function childrenOf(base, folder) {
  if (!existsSync(join(base, folder))) {
    return [];
  }
  return readdirSync(join(base, folder))
    .sort()
    .map(name => `${folder}/${name}`);
}
