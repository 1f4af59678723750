import type { Scan } from '../sql/scan.ts';
import type { PlanJson } from './plan-json.ts';

/** A statement that waits for its turn. */
export interface Waits {
  readonly shape: Scan;
  /** As it was sent; `undefined` if it is not to be kept: then it is asked about without its values. */
  readonly sql: string | undefined;
  readonly values: readonly unknown[];
  /** In µs. */
  readonly took: number;
  /** Its masked plan, if it came by itself: then only indexes are thought of. */
  readonly plan: PlanJson | undefined;
}

/** At most one for each shape, at most `most` in all: of more, the slowest. */
export class Waiting {
  readonly #most: number;
  readonly #all: Map<string, Waits> = new Map();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether one of this shape and time would get a place. */
  wants(shape: string, took: number): boolean {
    const same = this.#all.get(shape);
    if (same) {
      return same.plan === undefined && took > same.took;
    }
    return this.#all.size < this.#most || took > this.#fastest().took;
  }

  add(waits: Waits): void {
    if (!this.#all.has(waits.shape.id) && this.#all.size >= this.#most) {
      this.#all.delete(this.#fastest().shape.id);
    }
    this.#all.set(waits.shape.id, waits);
  }

  /** The slowest. */
  take(): Waits | undefined {
    const next = this.#bySlowness()[0];
    if (next) {
      this.#all.delete(next.shape.id);
    }
    return next;
  }

  clear(): void {
    this.#all.clear();
  }

  #fastest(): Waits {
    return this.#bySlowness().at(-1)!;
  }

  #bySlowness(): readonly Waits[] {
    return [...this.#all.values()].toSorted((one, other) => other.took - one.took);
  }
}
