import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { closeAfter } from '../../harness/close-after.ts';
import type { Report, Task } from './task.ts';

const PROGRAM = join(import.meta.dirname, 'worker.ts');

/** The processes of a run. One that is killed, as some do to themselves, is replaced. */
export class Workers {
  readonly #journalOf: () => string;
  readonly #running = new Map<ChildProcess, Promise<void>>();
  readonly #failures: string[] = [];
  readonly #progress = new Map<ChildProcess, { reads: number; hits: number; misses: number }>();
  #stopping = false;
  /** How many were killed. */
  killed = 0;

  /** @param journalOf a file for each process */
  constructor(journalOf: () => string) {
    this.#journalOf = journalOf;
    closeAfter(() => this.#kill());
  }

  /** Sums over all processes, those that were killed included. */
  get progress(): { reads: number; hits: number; misses: number } {
    const sum = { reads: 0, hits: 0, misses: 0 };
    for (const { reads, hits, misses } of this.#progress.values()) {
      sum.reads += reads;
      sum.hits += hits;
      sum.misses += misses;
    }
    return sum;
  }

  /** Resolves when it has connected and begins. */
  async start(task: Omit<Task, 'journal'>): Promise<void> {
    const child = fork(PROGRAM, [JSON.stringify({ ...task, journal: this.#journalOf() })], {
      execArgv: ['--conditions=@mikrokit/source'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (report: Report) => {
        if (report.kind === 'ready') {
          resolve();
        } else if (report.kind === 'progress') {
          this.#progress.set(child, report);
        } else {
          this.#failures.push(report.error);
        }
      });
      child.once('exit', () => reject(new Error('a worker ended before it was ready')));
    });
    const ended = new Promise<void>(resolve => {
      child.once('exit', (code, signal) => {
        this.#running.delete(child);
        if (signal === 'SIGKILL' && !this.#stopping) {
          this.killed += 1;
          this.start(task).catch((error: unknown) => void (this.#stopping || this.#failures.push(String(error))));
        } else if (code !== 0 && !this.#stopping) {
          this.#failures.push(`a worker ended with code ${code}, signal ${signal}`);
        }
        resolve();
      });
    });
    this.#running.set(child, ended);
    await ready;
  }

  /** Ends the run. @throws if a worker has failed */
  async stop(): Promise<void> {
    this.check();
    this.#stopping = true;
    for (const child of this.#running.keys()) {
      child.send('stop', () => {});
    }
    const late = setTimeout(() => void this.#kill(), 15_000);
    await Promise.all(this.#running.values());
    clearTimeout(late);
    this.check();
  }

  check(): void {
    if (this.#failures.length > 0) {
      throw new Error(this.#failures.join('\n\n'));
    }
  }

  async #kill(): Promise<void> {
    this.#stopping = true;
    const ends = [...this.#running.values()];
    this.#running.forEach((_, child) => child.kill('SIGKILL'));
    await Promise.all(ends);
  }
}
