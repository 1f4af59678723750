import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * The folders of the workspace members as `pnpm-workspace.yaml` lists them, the root excluded: relative to the root, in order.
 * @param {string} [base] the folder of the checkout
 */
export function memberFolders(base = root) {
  const folders = [...childrenOf(base, 'examples'), ...childrenOf(base, 'packages'), 'test'];
  return folders.filter(folder => existsSync(join(base, folder, 'package.json')));
}

/**
 * @param {string} base
 * @param {string} folder
 */
function childrenOf(base, folder) {
  const path = join(base, folder);
  const names = existsSync(path) ? readdirSync(path).sort() : [];
  return names.map(name => `${folder}/${name}`);
}
