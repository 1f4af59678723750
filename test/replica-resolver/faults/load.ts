import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAfter } from '../../harness/close-after.ts';
import type { Command, Report, Task } from './task.ts';

const PROGRAM = join(import.meta.dirname, 'worker.ts');
/** How long a process may take to close its ORM (and what is under way before), and then to end by itself, in ms. */
const CLOSE = 20_000;
const EXIT = 3_000;

/** The processes of a run. */
export class Load {
  readonly #workers: Worker[] = [];
  readonly #failures: string[] = [];
  #orders = 0;

  constructor() {
    closeAfter(() => this.kill());
  }

  /** Reads ordered in another process than the one that wrote. */
  get orders(): number {
    return this.#orders;
  }

  /** What processes have said went wrong, in words. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Resolves when all have connected, and begin. */
  async start(tasks: readonly Task[]): Promise<void> {
    for (const task of tasks) {
      const worker = new Worker(task, {
        order: report => {
          this.#orders += 1;
          this.#workers.filter(other => other !== worker).forEach(other => other.tell(report));
        },
        failed: error => this.#failures.push(error),
      });
      this.#workers.push(worker);
    }
    await Promise.all(this.#workers.map(worker => worker.ready));
  }

  /** Has all processes end their clients and close their ORM. */
  async close(): Promise<void> {
    this.#workers.forEach(worker => worker.tell({ kind: 'stop' }));
    await Promise.race([
      Promise.all(this.#workers.map(worker => worker.closed)),
      sleep(CLOSE, undefined, { ref: false }),
    ]);
  }

  /** How many processes end by themselves once their ORM is closed, within 3 s. */
  async exits(): Promise<number> {
    this.#workers.forEach(worker => worker.tell({ kind: 'leave' }));
    const ended = this.#workers.map(worker => Promise.race([worker.ended, sleep(EXIT, undefined)]));
    return (await Promise.all(ended)).filter(code => code === 0).length;
  }

  async kill(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.kill()));
  }
}

interface Hears {
  order(report: Extract<Report, { kind: 'order' }>): void;
  failed(error: string): void;
}

class Worker {
  readonly ready: Promise<void>;
  readonly closed: Promise<void>;
  /** With the code that it ended with. */
  readonly ended: Promise<number | undefined>;
  readonly #child: ChildProcess;

  constructor(task: Task, hears: Hears) {
    const ready = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<number | undefined>();
    this.ready = ready.promise;
    this.closed = closed.promise;
    this.ended = ended.promise;
    this.#child = fork(PROGRAM, [JSON.stringify(task)], {
      execArgv: ['--conditions=@mikrokit/source'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (report: Report) => {
      switch (report.kind) {
        case 'ready':
          return ready.resolve();
        case 'order':
          return hears.order(report);
        case 'closed':
          return closed.resolve();
        case 'failed':
          hears.failed(report.error);
          return ready.reject(new Error(report.error));
      }
    });
    this.#child.once('exit', (code, signal) => {
      ready.reject(new Error(`a process ended before it was ready, with code ${code}, signal ${signal}`));
      closed.resolve();
      ended.resolve(code ?? undefined);
    });
  }

  tell(command: Command): void {
    if (this.#child.connected) {
      this.#child.send(command, () => {});
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
