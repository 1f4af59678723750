import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAfter } from '../harness/close-after.ts';
import { removeDataDir } from '../harness/postgres.ts';

const MAIN = join(import.meta.dirname, '../../examples/atlas/src/main.ts');
/** Loading and tour together take some 20 seconds on two free cores. */
const PATIENCE = 150_000;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Atlas as a user starts it: a process of its own, known by its output and its exit code only. */
export class AtlasProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  readonly #onOutput = new Set<() => void>();
  #stdout = '';
  #stderr = '';

  /** The environment is the user's less what would choose other servers, and `env`. */
  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const { DATABASE_URL, REPLICA_URLS, REDIS_URL, ...ours } = process.env;
    this.#child = spawn(process.execPath, ['--conditions=@mikrokit/source', MAIN, ...args], {
      env: { ...ours, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.#stdout += text)));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.#stderr += text)));
    this.#ended = new Promise(resolve =>
      this.#child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        this.#heard(() => {});
      }),
    );
    closeAfter(() => this.#stop());
  }

  /** Resolves with the match once the output holds one; rejects when Atlas ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(PATIENCE);
    for (;;) {
      const match = pattern.exec(this.#stdout);
      if (match !== null) {
        return match;
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || deadline.aborted) {
        throw new Error(`Atlas was to print ${pattern}, but printed:\n${this.#stdout}\n${this.#stderr}`);
      }
      await new Promise<void>(resolve => {
        const next = (): void => {
          this.#onOutput.delete(next);
          deadline.removeEventListener('abort', next);
          resolve();
        };
        this.#onOutput.add(next);
        deadline.addEventListener('abort', next);
      });
    }
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }

  interrupt(): Promise<Ended> {
    this.#child.kill('SIGINT');
    return this.#ended;
  }

  async #stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await this.#ended;
    }
  }

  #heard(append: () => void): void {
    append();
    [...this.#onOutput].forEach(listener => listener());
  }
}

/** Runs Atlas to its end. */
export function runAtlas(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> {
  return new AtlasProcess(args, env).ended();
}

/** A folder for the embedded PostgreSQL, removed after the file. Register it before the process that uses it. */
export function dataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'atlas-'));
  // Made by whoever owns the servers, who need not be us; for root its files lie elsewhere.
  const dataDir = join(folder, 'data');
  closeAfter(async () => {
    removeDataDir(dataDir);
    rmSync(folder, { recursive: true, force: true });
  });
  return dataDir;
}
