import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { takeLock } from './directory-lock.ts';
import { HarnessError } from './errors.ts';

/** A program that tests need, and Debian's package of it. */
export interface WantedProgram {
  /** Any of them will do. */
  readonly names: readonly string[];
  /** In words: `a Chromium`. */
  readonly what: string;
  readonly package: string;
  /** What is said when it is installed. */
  readonly progress: string;
  /** What there is not. */
  readonly missing: string;
  /** What to do about that, and the variable that names one of the user's own. */
  readonly remedy: string;
  readonly variable: string;
  /** Called before it is installed. @returns is called afterwards */
  readonly prepare?: () => () => void;
}

/**
 * The path of a program: one on PATH, else, where we may, one that is installed now.
 * @throws {HarnessError} if there is none and none can be installed
 */
export async function installedProgram(wanted: WantedProgram, log: (line: string) => void): Promise<string> {
  const { names, what, missing, remedy, progress, variable } = wanted;
  const found = onPath(names);
  if (found) {
    return found;
  }
  if (process.getuid?.() !== 0 || !onPath(['apt-get'])) {
    throw new HarnessError(`this test needs ${what}, but ${missing}. ${remedy}`);
  }
  return await oneAtATime(wanted.package, async () => {
    if (!onPath(names)) {
      log(progress);
      await install(wanted);
    }
    const installed = onPath(names);
    if (!installed) {
      throw new HarnessError(
        `apt-get has installed ${wanted.package}, but it is not on PATH. Add its folder, or set ${variable}.`,
      );
    }
    return installed;
  });
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(programs: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '');
  return programs.flatMap(program => folders.map(folder => join(folder, program))).find(isExecutable);
}

async function install({ package: name, what, variable, prepare }: WantedProgram): Promise<void> {
  const run = promisify(execFile);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  const after = prepare?.();
  try {
    // One repository out of reach fails the update as a whole, and yet the package may be there.
    await run('apt-get', [...wait, 'update'], { env }).catch(() => {});
    await run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', name], { env });
  } catch (cause) {
    const output = (cause as { stderr?: string }).stderr?.trim() ?? String(cause);
    throw new HarnessError(
      `this test needs ${what}, and apt-get could not install ${name}: ${output}. Install it by hand or set ${variable}.`,
      { cause },
    );
  } finally {
    after?.();
  }
}

/** Test files run in several processes; apt-get stands only one of itself. */
async function oneAtATime<T>(name: string, task: () => Promise<T>): Promise<T> {
  for (;;) {
    const lock = takeLock(join(tmpdir(), `mikrokit-${name}-install.lock`));
    if ('release' in lock) {
      try {
        return await task();
      } finally {
        lock.release();
      }
    }
    await sleep(200);
  }
}
