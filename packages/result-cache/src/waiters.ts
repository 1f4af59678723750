/** Who waits for what. */
export class Waiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Calls `wake` at most once, when `key` is woken. @returns how to stop waiting */
  add(key: string, wake: () => void): () => void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#waiting.set(key, new Set([wake]));
    } else {
      waiting.add(wake);
    }
    return () => {
      const left = this.#waiting.get(key);
      if (left?.delete(wake) && left.size === 0) {
        this.#waiting.delete(key);
      }
    };
  }

  wake(key: string): void {
    const woken = this.#waiting.get(key);
    this.#waiting.delete(key);
    woken?.forEach(wake => wake());
  }

  wakeAll(): void {
    [...this.#waiting.keys()].forEach(key => this.wake(key));
  }
}
