import { randomBytes } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedTo, type User } from './run-as.ts';
import { guardDirectory } from './watchdog.ts';

export interface TemporaryFolder {
  readonly path: string;
  /** To be called once the folder has been removed; until then the watchdog would do it. */
  unguard(): void;
}

/** Makes a new folder that `user` can reach: in the temporary folder, or in /tmp where that one is private. */
export function temporaryFolderFor(user: User | undefined, prefix: string): TemporaryFolder {
  const root = realpathSync(tmpdir());
  const name = `${prefix}${randomBytes(8).toString('hex')}`;
  const path = join(user && closedTo(user, root) ? '/tmp' : root, name);
  // Guarded before it is there: this process may be killed at any moment. Nobody else can have this name.
  const unguard = guardDirectory(path);
  mkdirSync(path, { mode: 0o700 });
  return { path, unguard };
}
