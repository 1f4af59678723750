import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedTo, type User } from './run-as.ts';

/** Makes a new folder that `user` can reach: in the temporary folder, or in /tmp where that one is private. */
export function temporaryFolderFor(user: User | undefined, prefix: string): string {
  const root = realpathSync(tmpdir());
  return mkdtempSync(join(user && closedTo(user, root) ? '/tmp' : root, prefix));
}
