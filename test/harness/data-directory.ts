import { spawn } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HarnessError } from './errors.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { send } from './processes.ts';
import { giveTo, type User } from './run-as.ts';
import { guardServer } from './watchdog.ts';

/** Only these reach the servers: a PGPORT or a locale of the developer's shell must not change what a test sees. */
export const serverEnvironment: NodeJS.ProcessEnv = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Makes a data directory at `path`: UTF-8, sorted by code point, superuser `postgres`, no password on loopback.
 * When `signal` aborts it fails, and no process writes to `path` any more.
 */
export async function initialise(path: string, user: User | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const settings = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const child = spawn(
    postgresBinaries().initdb,
    ['--pgdata', path, '--username=postgres', '--auth=trust', '--no-sync', '--no-instructions', ...settings],
    { cwd: dirname(path), env: serverEnvironment, stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...user },
  );
  // initdb runs postgres, and both are in this group.
  const group = child.pid === undefined ? undefined : -child.pid;
  const release = group === undefined ? () => {} : guardServer(group, 'KILL');
  const abort = (): void => void (group !== undefined && send(group, 'SIGKILL'));
  signal.addEventListener('abort', abort, { once: true });
  let output = '';
  const collect = (chunk: Buffer): void => void (output += chunk.toString());
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  release();
  signal.removeEventListener('abort', abort);
  signal.throwIfAborted();
  if (code !== 0) {
    throw new HarnessError(
      `initdb has to make a data directory at ${path}, but it ended with code ${code}: ${output.trim()}`,
    );
  }
  appendFileSync(join(path, 'postgresql.conf'), "\ninclude = 'harness.conf'\n");
  writeFileSync(join(path, 'harness.conf'), '');
}

/**
 * Copies the data directory of a stopped server, or of a running one between `pg_backup_start` and `pg_backup_stop`,
 * into one that follows it. (The embedded binaries have no pg_basebackup.)
 */
export function cloneAsReplica(source: string, target: string, user: User | undefined): void {
  rmSync(target, { recursive: true, force: true });
  copyWhileRunning(source, target);
  for (const name of ['postmaster.pid', 'postmaster.opts', 'postgresql.auto.conf']) {
    rmSync(join(target, name), { force: true });
  }
  writeFileSync(join(target, 'postgresql.auto.conf'), '');
  writeFileSync(join(target, 'standby.signal'), '');
  giveTreeTo(user, target);
}

/** Gives `path` and everything in it to the server's user. */
function giveTreeTo(user: User | undefined, path: string): void {
  giveTo(user, path);
  for (const entry of user ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []) {
    giveTo(user, join(path, entry));
  }
}

/** True when `path` holds a data directory that initdb has finished. */
export function isDataDirectory(path: string): boolean {
  return existsSync(join(path, 'PG_VERSION')) && existsSync(join(path, 'harness.conf'));
}

/** Files of a running server come and go during the copy; WAL replay makes up for it, so a vanished one is no error. */
function copyWhileRunning(source: string, target: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      cpSync(source, target, { recursive: true, force: true, filter: path => !isTemporary(path) });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 10) {
        throw error;
      }
    }
  }
}

function isTemporary(path: string): boolean {
  return /[/\\](pgsql_tmp|pg_dynshmem|pg_stat_tmp|pg_notify|pg_subtrans)[/\\]/.test(path);
}
