import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueryResultRow } from 'pg';
import { serverEnvironment } from './data-directory.ts';
import { HarnessError } from './errors.ts';
import { freePort } from './free-port.ts';
import type { PgNode, StopMode } from './pg-node.ts';
import { queryOnce } from './pg-query.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { configuration } from './postgres-conf.ts';
import { childrenOf, commandOf, isAlive, isKnown, send, waitForEnd } from './processes.ts';
import { giveTo, type User } from './run-as.ts';
import { removeSharedMemory } from './shared-memory.ts';
import { guardServer } from './watchdog.ts';

/** What a cluster decides for each of its nodes. */
export interface NodeOptions {
  readonly name: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly user: User | undefined;
  readonly durable: boolean;
  readonly conf: readonly string[];
  /** The node that this one replicates. */
  readonly follows?: PgNode | undefined;
}

/** Milliseconds in which a server has to accept connections; recovery after a crash may take most of it. */
const startTimeout = 60_000;
/** Milliseconds an orderly stop may take before it becomes an immediate one, and that before it becomes a SIGKILL. */
const stopTimeout = 10_000;

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** A server of the embedded binaries: a direct child of this process, which therefore sees and reaps its end. */
export class EmbeddedNode implements PgNode {
  readonly name: string;
  readonly dataDirectory: string;
  readonly #options: NodeOptions;
  #port = 0;
  #child: ChildProcess | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.dataDirectory = options.dataDirectory;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  url(database = 'postgres'): string {
    return `postgresql://postgres@127.0.0.1:${this.#port}/${encodeURIComponent(database)}`;
  }

  query<Row extends QueryResultRow>(sql: string, params?: readonly unknown[], database?: string): Promise<Row[]> {
    return queryOnce<Row>(this.url(database), sql, params);
  }

  async start(): Promise<void> {
    if (this.pid !== undefined) {
      return;
    }
    for (let attempt = 1; ; attempt++) {
      // A restarted server keeps its port: clients know it.
      if (this.#port === 0) {
        this.#port = await freePort();
      }
      const failure = await this.#startOnce();
      if (failure === undefined) {
        return;
      }
      if (attempt === 5 || !/could not bind|shared memory block .* is still in use/.test(failure)) {
        throw new HarnessError(`${this.name} has to accept connections, but it ended while starting:\n${failure}`);
      }
      if (failure.includes('could not bind')) {
        this.#port = 0; // Somebody was faster.
      } else {
        await sleep(500); // Backends of a killed server are about to notice.
      }
    }
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    const pid = this.pid;
    if (pid !== undefined) {
      await this.#end(pid, mode);
    }
    removeSharedMemory(this.dataDirectory);
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    const pid = this.pid;
    if (pid === undefined) {
      throw new HarnessError(`signal() expects a running server, but ${this.name} is stopped. Call start() first.`);
    }
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT' && signal !== 'SIGKILL') {
      send(pid, signal);
      return;
    }
    send(pid, signal); // First the parent, so that it starts no more of them.
    const children = childrenOf(pid);
    children.forEach(child => send(child, signal));
    if (signal === 'SIGKILL') {
      await this.#ended(stopTimeout);
      await waitForEnd(children, stopTimeout);
    }
  }

  /** Where to begin replay, for a data directory that was copied from a running server. */
  writeBackupLabel(text: string): void {
    const file = join(this.dataDirectory, 'backup_label');
    writeFileSync(file, text);
    giveTo(this.#options.user, file);
  }

  /** For the end of the process, where nothing can be awaited. */
  kill(): void {
    if (this.pid !== undefined) {
      send(this.pid, stopSignals[this.#options.durable ? 'fast' : 'immediate']);
    }
  }

  /** Resolves with the log when the server ended while starting, with nothing when it accepts connections. */
  async #startOnce(): Promise<string | undefined> {
    const child = this.#spawn();
    const deadline = performance.now() + startTimeout;
    while (this.#child === child) {
      if (statusOf(this.dataDirectory, child.pid) === 'ready') {
        return undefined;
      }
      if (performance.now() > deadline) {
        await this.stop('immediate');
        throw new HarnessError(
          `${this.name} has to accept connections within ${startTimeout} ms, but did not:\n${this.#logTail()}`,
        );
      }
      await sleep(10);
    }
    return this.#logTail();
  }

  #spawn(): ChildProcess {
    const { dataDirectory, logFile, user, durable, follows, conf, name } = this.#options;
    forgetStalePid(dataDirectory);
    const settings = { port: this.#port, durable, conf, follows: follows && { port: follows.port, as: name } };
    writeFileSync(join(dataDirectory, 'harness.conf'), configuration(settings));
    giveTo(user, join(dataDirectory, 'harness.conf'));
    rmSync(logFile, { force: true });
    const log = openSync(logFile, 'a');
    // detached: a Ctrl-C in the terminal is ours to handle; the servers then stop in order.
    const child = spawn(postgresBinaries().postgres, ['-D', dataDirectory], {
      cwd: dataDirectory,
      env: serverEnvironment,
      stdio: ['ignore', log, log],
      detached: true,
      ...user,
    });
    closeSync(log);
    this.#child = child;
    const release = child.pid === undefined ? () => {} : guardServer(child.pid, durable ? 'INT' : 'QUIT');
    const gone = (): void => {
      release();
      if (this.#child === child) {
        this.#child = undefined;
      }
    };
    child.once('exit', gone);
    child.once('error', gone);
    // A program that forgets to stop its cluster should still come to its end; the cluster then ends with it.
    child.unref();
    return child;
  }

  async #end(pid: number, mode: StopMode): Promise<void> {
    const family = [pid, ...childrenOf(pid)];
    send(pid, stopSignals[mode]);
    family.forEach(member => send(member, 'SIGCONT')); // A frozen process would not get the signal.
    if (!(await this.#ended(stopTimeout))) {
      send(pid, 'SIGQUIT');
      if (!(await this.#ended(stopTimeout))) {
        await this.signal('SIGKILL');
      }
    }
    await waitForEnd(family, stopTimeout);
  }

  async #ended(timeout: number): Promise<boolean> {
    const deadline = performance.now() + timeout;
    while (this.#child !== undefined) {
      if (performance.now() > deadline) {
        return false;
      }
      await sleep(5);
    }
    return true;
  }

  #logTail(): string {
    const { logFile } = this.#options;
    return existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n') : '(no log)';
  }
}

/** The postmaster that runs in a data directory; `undefined` when there is none. */
export function runningServer(dataDirectory: string): number | undefined {
  const pid = Number(pidFile(dataDirectory)[0]);
  return pid > 0 && isAlive(pid) && commandOf(pid).includes(dataDirectory) ? pid : undefined;
}

/** The last line of postmaster.pid is how PostgreSQL tells pg_ctl: `starting`, `ready`, `standby`, `stopping`. */
function statusOf(dataDirectory: string, pid: number | undefined): string | undefined {
  const lines = pidFile(dataDirectory);
  return Number(lines[0]) === pid ? lines[7]?.trim() : undefined;
}

/**
 * PostgreSQL sees through a pid file whose process has gone, but takes the process for a running server when the pid now
 * belongs to a stranger or to a zombie that nobody reaps. (Backends that survive their server it finds even without the
 * file, by their shared memory.)
 */
function forgetStalePid(dataDirectory: string): void {
  const pid = Number(pidFile(dataDirectory)[0]);
  if (pid > 0 && isKnown(pid) && runningServer(dataDirectory) === undefined) {
    rmSync(join(dataDirectory, 'postmaster.pid'), { force: true });
  }
}

function pidFile(dataDirectory: string): string[] {
  try {
    return readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}
