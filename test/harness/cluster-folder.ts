import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { takeLock } from './directory-lock.ts';
import { HarnessError } from './errors.ts';
import { closedTo, giveTo, ownerOf, serverUser, type User } from './run-as.ts';
import { temporaryFolderFor } from './temporary.ts';
import { guardDirectory } from './watchdog.ts';

/** The folder that holds a cluster's data directories and logs. */
export interface ClusterFolder {
  readonly path: string;
  /** Who the servers run as and who owns the files; `undefined` for ourselves. */
  readonly user: User | undefined;
  /** Gives the folder up; a temporary one is removed. */
  release(): void;
}

/** A folder that goes with the cluster. */
export function temporaryFolder(): ClusterFolder {
  const user = serverUser();
  const { path, unguard } = temporaryFolderFor(user, 'mikrokit-postgres-');
  giveTo(user, path);
  chmodSync(path, 0o700);
  return {
    path,
    user,
    release() {
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      unguard();
    },
  };
}

/**
 * The folder `dataDir`, made if need be and locked against a second cluster.
 *
 * Root's own folders are closed to the user that the servers run as. Then the data lies below /var/tmp under a name
 * derived from `dataDir`, so that the next start finds it.
 */
export function lastingFolder(dataDir: string, keep: boolean, log: (line: string) => void): ClusterFolder {
  const asked = resolve(dataDir);
  mkdirSync(asked, { recursive: true });
  let path = realpathSync(asked);
  const owner = ownerOf(path);
  // Files that an unprivileged user has written stay theirs.
  const user = process.getuid?.() === 0 ? (owner ?? serverUser()) : undefined;
  const closed = user && closedTo(user, join(path, '..'));
  if (user && closed) {
    path = substitute(path, user);
    log(`${closed} is closed to the user PostgreSQL runs as: the data of ${asked} is in ${path}`);
  }
  refuseOthersFiles(path);
  const lock = takeLock(join(path, 'harness.lock'));
  if (!('release' in lock)) {
    throw new HarnessError(
      `dataDir has to belong to one running cluster at a time, but ${path} is in use by process ${lock.pid}. ` +
        'Stop that one first, or pass another dataDir.',
    );
  }
  giveTo(user, path);
  chmodSync(path, 0o700);
  const unguard = keep ? () => {} : guardDirectory(path);
  return {
    path,
    user,
    release() {
      lock.release();
      if (!keep) {
        rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
        unguard();
      }
    },
  };
}

/** A folder is taken over: given to the servers' user, closed to others and, if not kept, removed with all that is in it. */
function refuseOthersFiles(path: string): void {
  const foreign = readdirSync(path).find(name => !/^((primary|replica-\d+)(\.log)?|harness\.lock.*)$/.test(name));
  if (foreign !== undefined) {
    throw new HarnessError(
      `dataDir has to be a folder of its own, empty or of an earlier cluster, but ${path} holds ${foreign}. Pass another dataDir.`,
    );
  }
}

/** Removes what clusters have kept for `dataDir`, wherever it lies. None may be running there. */
export function removeDataDir(dataDir: string): void {
  const asked = resolve(dataDir);
  const path = existsSync(asked) ? realpathSync(asked) : asked;
  rmSync(path, { recursive: true, force: true });
  rmSync(substituteFor(path), { recursive: true, force: true });
}

function substituteFor(path: string): string {
  const mark = createHash('sha256').update(path).digest('hex').slice(0, 12);
  return join('/var/tmp', `mikrokit-${basename(path)}-${mark}`);
}

function substitute(path: string, user: User): string {
  const other = substituteFor(path);
  mkdirSync(other, { recursive: true });
  // Anybody may have put something there before us.
  const found = lstatSync(other);
  if (!found.isDirectory() || (found.uid !== 0 && found.uid !== user.uid)) {
    throw new HarnessError(
      `${other} has to be a folder of ours, but belongs to user ${found.uid}. Remove it, or pass another dataDir.`,
    );
  }
  return other;
}
