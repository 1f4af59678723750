import type { Order } from './task.ts';

/** More than this many wait only when all readers hang; the oldest are then forgotten. */
const MOST = 200;

/** Hands orders to readers that wait for one, at once: a replica has the least time to catch up. */
export class Orders {
  readonly #left: Order[] = [];
  readonly #waiting = new Set<(order: Order | undefined) => void>();

  give(order: Order): void {
    const [first] = this.#waiting;
    if (first) {
      first(order);
      return;
    }
    this.#left.push(order);
    if (this.#left.length > MOST) {
      this.#left.shift();
    }
  }

  /** The next order, or `undefined` when there has been none for `timeout` ms. */
  take(timeout: number): Promise<Order | undefined> {
    const order = this.#left.shift();
    if (order) {
      return Promise.resolve(order);
    }
    return new Promise(resolve => {
      const settle = (given: Order | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(given);
      };
      const timer = setTimeout(settle, timeout, undefined);
      this.#waiting.add(settle);
    });
  }
}
