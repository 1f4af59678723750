/** How often a value was at most each of some bounds: the histogram of Prometheus. */
export class BucketCounts {
  /** Ascending. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) {
      index += 1;
    }
    this.#counts[index]! += 1;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many were at most each bound, and at last how many there were. */
  cumulative(): readonly number[] {
    let sum = 0;
    return Array.from(this.#counts, count => (sum += count));
  }
}
