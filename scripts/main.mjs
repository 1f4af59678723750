import { ensureInstalled } from './install.mjs';
import { tasks } from './tasks.mjs';
import { UserError } from './user-error.mjs';

/**
 * Runs one task of the workspace and leaves its exit code in `process.exitCode`.
 * @param {readonly string[]} argv the task's name and its arguments
 */
export async function main([name, ...args]) {
  const task = Object.entries(tasks).find(([known]) => known === name)?.[1];

  if (!task) {
    const known = Object.entries(tasks).map(([known, { says }]) => `  ${known.padEnd(9)} ${says}`);
    throw new UserError(
      `The first argument names a task, but got: ${name ?? 'nothing'}. The tasks are:\n${known.join('\n')}`,
    );
  }
  if (task.needsInstall !== false) {
    await ensureInstalled();
  }
  process.exitCode = await task.run(args);
}
