import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LeftBehind } from './fixtures/leaves-a-cluster.ts';
import { childrenOf, commandOf, isAlive, waitForEnd } from './processes.ts';

const program = join(import.meta.dirname, 'fixtures', 'leaves-a-cluster.ts');

interface Started {
  readonly child: ChildProcess;
  readonly left: LeftBehind;
  readonly watchdog: number;
  /** Every process below the servers, which no longer has a parent to be found by once they are gone. */
  readonly family: number[];
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

async function start(ending: string, env: NodeJS.ProcessEnv = {}): Promise<Started> {
  const child = spawn(process.execPath, [program, ending], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const family: number[] = [];
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await waitForEnd(family, 15_000);
  });
  let errors = '';
  child.stderr.on('data', chunk => (errors += String(chunk)));
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }) as Awaited<Started['ended']>);
  const line = once(createInterface(child.stdout), 'line').then(([text]) => String(text));
  const text = await Promise.race([line, ended.then(() => '')]);
  expect(text, errors).not.toBe('');
  const left = JSON.parse(text) as LeftBehind;
  const watchdog = childrenOf(child.pid!).find(pid => commandOf(pid).startsWith('/bin/sh'))!;
  family.push(...left.pids, ...left.pids.flatMap(childrenOf), watchdog);
  return { child, left, ended, watchdog, family };
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** What of it is still there, in words. */
async function remains({ left, family }: Started, folders: readonly string[]): Promise<string[]> {
  const ports = await Promise.all(left.ports.map(async port => ((await listens(port)) ? [`port ${port}`] : [])));
  return [
    ...family.filter(isAlive).map(pid => `process ${pid}: ${commandOf(pid)}`),
    ...ports.flat(),
    ...folders.filter(existsSync).map(folder => `folder ${folder}`),
  ];
}

const clusterFolder = ({ left }: Started): string => dirname(left.folders[0] ?? '/nowhere');

/** Endings, what sets them off, and how the program itself must be seen to end. */
const endings: [string, NodeJS.Signals | undefined, { code: number | null; signal: NodeJS.Signals | null }][] = [
  ['stop', undefined, { code: 0, signal: null }],
  ['return', undefined, { code: 0, signal: null }],
  ['throw', undefined, { code: 1, signal: null }],
  ['exit', undefined, { code: 3, signal: null }],
  ['wait', 'SIGINT', { code: null, signal: 'SIGINT' }],
  ['wait', 'SIGTERM', { code: null, signal: 'SIGTERM' }],
  ['wait', 'SIGHUP', { code: null, signal: 'SIGHUP' }],
  ['wait', 'SIGKILL', { code: null, signal: 'SIGKILL' }],
  ['own-listener', 'SIGTERM', { code: 7, signal: null }],
];

describe('nothing is left of a cluster', () => {
  test.each(endings)('when the program ends by %s %s', async (ending, signal, expected) => {
    const started = await start(ending);
    if (signal) {
      expect(await remains(started, [clusterFolder(started)]), 'all of it must be there first').not.toHaveLength(0);
      started.child.kill(signal);
    }
    expect(await started.ended).toEqual(expected);
    await expect.poll(() => remains(started, [clusterFolder(started)]), { timeout: 15_000 }).toEqual([]);
  });

  test.each(['SIGINT', 'SIGKILL'] as const)('when %s comes while the cluster is being made', async signal => {
    const folder = mkdtempSync(join(tmpdir(), 'mikrokit-early-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o777); // As /tmp: initdb could make its folders again after they were removed.
    const child = spawn(process.execPath, [program, 'wait'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    const made = (): boolean =>
      readdirSync(folder).some(name => existsSync(join(folder, name, 'primary', 'base', '1')));
    await expect.poll(made, { interval: 2, timeout: 10_000 }).toBe(true); // initdb is in the middle of its work.
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    await expect.poll(() => readdirSync(folder), { timeout: 10_000 }).toEqual([]);
    await sleep(500); // A forgotten initdb would make it again.
    expect(readdirSync(folder)).toEqual([]);
  });

  test.skipIf(process.env['REDIS_URL'])('nor of a Redis server, after SIGKILL', async () => {
    const before = redisFolders();
    const started = await start('wait', { WITH_REDIS: '1' });
    const folders = redisFolders().filter(folder => !before.includes(folder));
    expect(started.left.pids).toHaveLength(3);
    started.child.kill('SIGKILL');
    await expect.poll(() => remains(started, folders), { timeout: 15_000 }).toEqual([]);
  });
});

describe('a data directory that is kept', () => {
  test('outlives a stop, and the SIGKILL of the program and of all its servers', { timeout: 90_000 }, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'mikrokit-kept-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const env = { DATA_DIR: dataDir };

    const first = await start('stop', env);
    expect(await first.ended).toEqual({ code: 0, signal: null });
    await expect.poll(() => remains(first, []), { timeout: 15_000 }).toEqual([]);

    const second = await start('wait', env);
    expect(second.left.entries).toBe(2);
    // A second cluster in the same place is turned away while this one runs.
    await expect(start('stop', env)).rejects.toThrow(
      `dataDir has to belong to one running cluster at a time, but ${clusterFolder(second)} is in use by process ${second.child.pid}. Stop that one first, or pass another dataDir.`,
    );
    for (const pid of [...second.family, second.child.pid ?? 0]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // One of the servers may have been on its way out by itself.
        expect(error).toMatchObject({ code: 'ESRCH' });
      }
    }
    await expect.poll(() => remains(second, []), { timeout: 15_000 }).toEqual([]);
    expect(existsSync(join(clusterFolder(second), 'primary', 'postmaster.pid')), 'the stale pid file').toBe(true);

    const third = await start('wait', env);
    expect(third.left.entries).toBe(3);
    // The next start finds the servers of this one still there: its watchdog is slow to stop them.
    process.kill(third.watchdog, 'SIGSTOP');
    third.child.kill('SIGKILL');
    const starting = start('stop', env);
    await sleep(1_500);
    expect(third.left.pids.filter(isAlive)).toEqual(third.left.pids);
    process.kill(third.watchdog, 'SIGCONT');
    const fourth = await starting;
    expect(fourth.left.entries).toBe(4);
    await fourth.ended;
    await expect.poll(() => [...third.family, ...fourth.family].filter(isAlive), { timeout: 15_000 }).toEqual([]);
  });
});

function redisFolders(): string[] {
  return readdirSync(tmpdir())
    .filter(name => name.startsWith('mikrokit-redis-'))
    .map(name => join(tmpdir(), name));
}
