import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { takeLock } from './directory-lock.ts';
import { HarnessError } from './errors.ts';

const names = ['redis-server', 'valkey-server'];

/** The path of a Redis server program: one on PATH, else, where we may, one that is installed now. */
export async function redisServer(log: (line: string) => void): Promise<string> {
  const found = onPath(names);
  if (found) {
    return found;
  }
  if (process.getuid?.() !== 0 || !onPath(['apt-get'])) {
    throw new HarnessError(
      'this test needs a Redis server, but REDIS_URL is not set and neither redis-server nor valkey-server is on PATH. ' +
        'Install one (apt-get install redis-server, brew install redis, brew install valkey) or set REDIS_URL=redis://host:6379/0 to one that may be emptied.',
    );
  }
  return await oneAtATime(async () => {
    if (!onPath(names)) {
      log('Redis: installing redis-server with apt-get (once)');
      await install();
    }
    const installed = onPath(names);
    if (!installed) {
      throw new HarnessError(
        'apt-get has installed redis-server, but it is not on PATH. Add its folder, or set REDIS_URL.',
      );
    }
    return installed;
  });
}

function onPath(programs: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '');
  return programs.flatMap(program => folders.map(folder => join(folder, program))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function install(): Promise<void> {
  const run = promisify(execFile);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  const release = forbidServices();
  try {
    // One repository out of reach fails the update as a whole, and yet the package may be there.
    await run('apt-get', [...wait, 'update'], { env }).catch(() => {});
    await run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', 'redis-server'], { env });
  } catch (cause) {
    const output = (cause as { stderr?: string }).stderr?.trim() ?? String(cause);
    throw new HarnessError(
      `this test needs a Redis server, and apt-get could not install redis-server: ${output}. Install it by hand or set REDIS_URL.`,
      { cause },
    );
  } finally {
    release();
  }
}

/** Debian starts a service as soon as it is installed, on the port of whoever runs Redis here, unless this file says no. */
function forbidServices(): () => void {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) {
    return () => {};
  }
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy, { force: true });
}

/** Test files run in several processes; apt-get stands only one of itself. */
async function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  for (;;) {
    const lock = takeLock(join(tmpdir(), 'mikrokit-redis-install.lock'));
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
