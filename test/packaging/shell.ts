import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The folder of the checkout. */
export const root: string = dirname(dirname(import.meta.dirname));

const require = createRequire(import.meta.url);

/** Runs a Node program to its end and gives what it printed; throws an error that holds all of it when it fails. */
export function node(args: readonly string[], cwd: string = root): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) {
        reject(new Error(`${stdout}${stderr}`.trim() || error.message));
      } else {
        resolve(stdout);
      }
    });
  });
}

/** Runs the pinned pnpm. */
export function pnpm(args: readonly string[]): Promise<string> {
  return node([join(root, 'scripts/run.mjs'), 'pnpm', ...args]);
}

/** The JavaScript behind a program of a dependency: `programOf('publint')`. */
export function programOf(dependency: string, program: string = dependency): string {
  const file = [root, join(root, 'test')]
    .map(folder => join(folder, 'node_modules', dependency, 'package.json'))
    .find(canRead);
  if (!file) {
    throw new Error(`${dependency} is not installed; it is a dev dependency of the workspace. Run npm test once.`);
  }
  const { bin } = require(file) as { bin: string | Record<string, string> };
  const path = typeof bin === 'string' ? bin : bin[program];
  if (path === undefined) {
    throw new Error(`${dependency} has no program called ${program}.`);
  }
  return join(dirname(file), path);
}

function canRead(file: string): boolean {
  try {
    require.resolve(file);
    return true;
  } catch {
    return false;
  }
}
