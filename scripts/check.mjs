import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { memberFolders, root } from './paths.mjs';
import { binOf, programOf } from './node.mjs';
import { runSteps } from './steps.mjs';

/** Types of every project, lint, format: all of them, whatever the first one says, with one line for each. */
export async function check() {
  const projects = [...memberFolders(), 'scripts'].filter(folder => existsSync(join(root, folder, 'tsconfig.json')));

  return runSteps([
    ...projects.map(folder => ({
      name: `types  ${folder}`,
      args: [binOf('typescript', 'tsc'), '-p', folder, '--pretty', 'false'],
    })),
    { name: 'lint   everything', args: [programOf('oxlint')] },
    { name: 'format everything', args: [programOf('oxfmt'), '--check'] },
  ]);
}
