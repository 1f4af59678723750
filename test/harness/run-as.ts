import { execFileSync } from 'node:child_process';
import { chownSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { HarnessError } from './errors.ts';

/** An unprivileged user that servers run as, because PostgreSQL refuses to run as root. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The user to start servers as: `undefined` (ourselves) unless we are root. */
export function serverUser(): User | undefined {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  for (const name of ['nobody', 'daemon']) {
    const user = lookUp(name);
    if (user) {
      return user;
    }
  }
  throw new HarnessError(
    'PostgreSQL does not run as root and expects an unprivileged user "nobody" or "daemon", but this machine has neither. ' +
      'Create one, or run as a plain user, or set DATABASE_URL to a server of your own.',
  );
}

/** The owner of an existing data directory, who alone may start it; `undefined` when that is ourselves. */
export function ownerOf(path: string): User | undefined {
  const { uid, gid } = statSync(path);
  return uid === process.getuid?.() ? undefined : { uid, gid };
}

/** The first folder on the way to `path`, itself included, that `user` may not enter; `undefined` when all are open. */
export function closedTo(user: User, path: string): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedTo(user, parent);
  return above ?? (mayEnter(user, path) ? undefined : path);
}

/** Makes `path` a file of the server's user. */
export function giveTo(user: User | undefined, path: string): void {
  if (user) {
    chownSync(path, user.uid, user.gid);
  }
}

function mayEnter(user: User, path: string): boolean {
  const { uid, gid, mode } = statSync(path);
  const execute = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return (mode & execute) !== 0;
}

function lookUp(name: string): User | undefined {
  try {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}
