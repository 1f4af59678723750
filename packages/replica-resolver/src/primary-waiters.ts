import { ReplicaResolverError } from './errors.ts';
import type { Node } from './node.ts';

/** More of them would only fill the memory. */
const MOST = 10_000;

interface Waiter {
  readonly resolve: (node: Node) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Writes that wait while no server takes them. */
export class PrimaryWaiters {
  readonly #hold: number;
  readonly #waiters = new Set<Waiter>();

  /** @param hold how long one waits, in ms */
  constructor(hold: number) {
    this.#hold = hold;
  }

  get size(): number {
    return this.#waiters.size;
  }

  wait(): Promise<Node> {
    if (this.#hold === 0 || this.#waiters.size >= MOST) {
      return Promise.reject(this.#none());
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#waiters.delete(waiter);
          reject(this.#none());
        }, this.#hold),
      };
      this.#waiters.add(waiter);
    });
  }

  resolveAll(node: Node): void {
    for (const { resolve, timer } of this.#take()) {
      clearTimeout(timer);
      resolve(node);
    }
  }

  rejectAll(error: Error): void {
    for (const { reject, timer } of this.#take()) {
      clearTimeout(timer);
      reject(error);
    }
  }

  #take(): Waiter[] {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    return waiters;
  }

  #none(): ReplicaResolverError {
    return new ReplicaResolverError(
      'NO_PRIMARY',
      `A write needs a server that takes writes, but none has for ${this.#hold} ms (writeHold). Nothing was sent: it may be tried again.`,
      { retryable: true },
    );
  }
}
