import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { memberFolders, root } from './paths.mjs';
import { binOf } from './node.mjs';
import { runSteps } from './steps.mjs';
import { UserError } from './user-error.mjs';

/**
 * Compiles what is published, each package into its own `dist`, emptied first: a file of a deleted source would ship.
 * @param {readonly string[]} names packages to build; all when empty
 */
export async function build(names) {
  const folders = memberFolders().filter(folder => existsSync(join(root, folder, 'tsconfig.build.json')));
  const wanted = names.length === 0 ? folders : names.map(name => `packages/${name}`);
  const unknown = wanted.find(folder => !folders.includes(folder));

  if (unknown) {
    const known = folders.map(folder => folder.replace('packages/', '')).join(', ');
    throw new UserError(
      `An argument names a package to build (${known}), but got: ${unknown.replace('packages/', '')}.`,
    );
  }

  return runSteps(
    wanted.map(folder => ({
      name: `build ${folder}`,
      prepare: () => rmSync(join(root, folder, 'dist'), { recursive: true, force: true }),
      args: [binOf('typescript', 'tsc'), '-p', `${folder}/tsconfig.build.json`],
    })),
  );
}
