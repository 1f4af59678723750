/** Shapes that are remembered. */
const MOST = 1_000;
/** Whether a shape has become slower is asked no more often, in ms. */
const ASKED_EVERY = 10_000;

/** Which shapes have been explained lately: within `again`, and no slower than then. */
export class Recent {
  readonly #again: number;
  readonly #now: () => number;
  readonly #all: Map<string, { readonly at: number; readonly p95: number | undefined; asked: number }> = new Map();

  /** @param again in ms @param now in ms, never backwards */
  constructor(again: number, now: () => number = () => performance.now()) {
    this.#again = again;
    this.#now = now;
  }

  /** @param p95 is asked only now and then, since it may cost something */
  has(id: string, p95: () => number | undefined): boolean {
    const last = this.#all.get(id);
    const now = this.#now();
    if (!last || now - last.at >= this.#again) {
      return false;
    }
    if (last.p95 === undefined || now - last.asked < ASKED_EVERY) {
      return true;
    }
    last.asked = now;
    return (p95() ?? 0) < 2 * last.p95;
  }

  add(id: string, p95: number | undefined): void {
    const now = this.#now();
    this.#all.delete(id);
    this.#all.set(id, { at: now, p95, asked: now });
    if (this.#all.size > MOST) {
      this.#all.delete(this.#all.keys().next().value!);
    }
  }

  delete(id: string): void {
    this.#all.delete(id);
  }

  clear(): void {
    this.#all.clear();
  }
}
