import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { memberFolders, root } from './paths.mjs';
import { binOf } from './node.mjs';
import { runSteps } from './steps.mjs';

/**
 * Compiles what is published, each package into its own `dist`, emptied first: a file of a deleted source would ship.
 * @param {readonly string[]} names packages to build; all when empty
 */
export async function build(names) {
  const folders = memberFolders().filter(folder => existsSync(join(root, folder, 'tsconfig.build.json')));
  const wanted = folders.filter(folder => names.length === 0 || names.includes(folder.replace('packages/', '')));

  return runSteps(
    wanted.map(folder => ({
      name: `build ${folder}`,
      prepare: () => rmSync(join(root, folder, 'dist'), { recursive: true, force: true }),
      args: [binOf('typescript', 'tsc'), '-p', `${folder}/tsconfig.build.json`],
    })),
  );
}
