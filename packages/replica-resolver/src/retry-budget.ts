/** Parts of a window that are counted by themselves. */
const parts = 10;

/** What a `RetryBudget` is made of. */
export interface RetryBudgetOptions {
  /** Retries for each read, e.g. 0.2. */
  readonly share: number;
  /** In ms. */
  readonly window: number;
  /** Retries in a window that are always allowed, however few reads there were. */
  readonly minimum: number;
  /** Monotonic ms, e.g. `performance.now()`. */
  readonly now: () => number;
}

/**
 * Keeps retries from making an overload worse: when much fails, most of it fails once only.
 *
 * The bound: with each retry that is allowed, the retries of the last `window` ms are at most `minimum` or `share` ×
 * the reads of the last `window` ms, whichever is more. It is kept on the safe side: a window is counted in ten parts,
 * reads over the last 0.9 to 1 of it, retries over the last 1 to 1.1. (Not of just any window: reads may come at its
 * beginning, their retries at its end, and a window that begins between has the retries only.)
 *
 * Constant time and space.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #reads = new RecentCount(parts);
  readonly #retries = new RecentCount(parts + 1);

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
  }

  /** A read has begun. Its retries are not reads. */
  read(): void {
    this.#reads.add(this.#part());
  }

  /** Whether one more retry is allowed; if so, it counts. */
  take(): boolean {
    const part = this.#part();
    if (this.#availableIn(part) === 0) {
      return false;
    }
    this.#retries.add(part);
    return true;
  }

  /** How many retries would be allowed now. */
  get available(): number {
    return this.#availableIn(this.#part());
  }

  #availableIn(part: number): number {
    const allowed = Math.max(this.#options.minimum, this.#options.share * this.#reads.at(part));
    return Math.max(0, Math.floor(allowed) - this.#retries.at(part));
  }

  #part(): number {
    return Math.floor((this.#options.now() * parts) / this.#options.window);
  }
}

/** How often something happened in the last so many parts of time, the current one included. */
class RecentCount {
  readonly #counts: number[];
  #latest = -1;
  #sum = 0;

  constructor(size: number) {
    this.#counts = Array.from({ length: size }, () => 0);
  }

  add(part: number): void {
    this.#moveTo(part);
    this.#counts[this.#index(part)]! += 1;
    this.#sum += 1;
  }

  at(part: number): number {
    this.#moveTo(part);
    return this.#sum;
  }

  /** Empties the parts that have begun since. */
  #moveTo(part: number): void {
    const size = this.#counts.length;
    for (let begun = Math.max(this.#latest + 1, part - size + 1); begun <= part; begun++) {
      const index = this.#index(begun);
      this.#sum -= this.#counts[index]!;
      this.#counts[index] = 0;
    }
    this.#latest = part;
  }

  #index(part: number): number {
    return part % this.#counts.length;
  }
}
