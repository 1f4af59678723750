import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { memberFolders, root } from './paths.mjs';
import { UserError } from './user-error.mjs';

/** The names of the examples, in order. */
export function exampleNames() {
  return memberFolders()
    .filter(folder => folder.startsWith('examples/'))
    .map(folder => folder.replace('examples/', ''));
}

/**
 * The program of an example: its `src/main.ts`, or `main.ts` where that is all there is.
 * @param {string | undefined} name
 */
export function exampleProgram(name) {
  if (!name || !exampleNames().includes(name)) {
    throw new UserError(`The argument names an example (${exampleNames().join(', ')}), but got: ${name ?? 'nothing'}`);
  }
  const programs = ['src/main.ts', 'main.ts'].map(file => `examples/${name}/${file}`);
  const program = programs.find(file => existsSync(join(root, file)));
  if (!program) {
    throw new UserError(`An example has its program in one of ${programs.join(', ')}, but there is none.`);
  }
  return program;
}
