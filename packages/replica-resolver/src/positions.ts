import type { Lsn } from './lsn.ts';

/** Where the primary was, and when. */
export interface Position {
  /** Monotonic ms of this process, from before it asked. */
  readonly at: number;
  readonly lsn: Lsn;
}

/** How much is remembered. */
export interface PositionsOptions {
  /** How many samples, at least 1. @default 120 */
  readonly capacity?: number;
  /** Lags up to this are told, in ms; those beyond it at the least as greater. @default 0 */
  readonly reach?: number;
}

/** So many samples for the reach, so that half of the capacity spans it however often the primary is asked. */
const SAMPLES = 60;

/**
 * Where the primary was in the last minutes. From this follows how far a replica is behind in time, without comparing
 * clocks and without privileges, and right on an idle primary: a replica that has replayed all is 0 ms behind, however
 * long ago the last transaction was (`now() - pg_last_xact_replay_timestamp()` says otherwise).
 *
 * A ring; of samples at the same position it keeps the first and the last only (those between tell nothing), so that it
 * reaches far back when little is written. Samples that follow each other faster than the reach needs take the place of the
 * one before. A call is a binary search and makes no objects.
 */
export class Positions {
  readonly #capacity: number;
  readonly #reach: number;
  // Two plain arrays: reading an element makes no object, not even a bigint.
  readonly #at: number[] = [];
  readonly #lsn: Lsn[] = [];
  /** Index of the oldest. */
  #first = 0;
  #size = 0;

  constructor({ capacity = 120, reach = 0 }: PositionsOptions = {}) {
    this.#capacity = capacity;
    this.#reach = reach;
  }

  /**
   * Adds what the primary has answered. A position before the latest one is another primary's: what was there is
   * forgotten. An answer to an older question than the latest one is ignored.
   * @param at monotonic ms from *before* the question was sent, so that lags come out too great rather than too small
   */
  add(at: number, lsn: Lsn): void {
    if (this.#size > 0) {
      const last = this.#size - 1;
      if (at < this.#atOf(last)) {
        return;
      }
      if (lsn < this.#lsnOf(last)) {
        this.clear();
      } else if (last > 0 && (this.#isBetween(last, lsn) || this.#isSoon(last))) {
        const index = this.#index(last);
        this.#at[index] = at;
        this.#lsn[index] = lsn;
        return;
      }
    }
    if (this.#size === this.#capacity) {
      this.#first = this.#index(1);
      this.#size--;
    }
    const index = this.#index(this.#size++);
    this.#at[index] = at;
    this.#lsn[index] = lsn;
  }

  /** Forgets everything. To be called when there is another primary. */
  clear(): void {
    this.#first = 0;
    this.#size = 0;
  }

  /** The last sample. */
  get latest(): Position | undefined {
    const last = this.#size - 1;
    return last < 0 ? undefined : { at: this.#atOf(last), lsn: this.#lsnOf(last) };
  }

  /**
   * How long ago the primary was where a replica is now, in ms: 0 when it has replayed all that is known of. Between
   * two samples the log is taken to have grown evenly, so it may be wrong by the time between them.
   * @param replayed the replica's replay position
   * @param now monotonic ms
   * @returns for a replica before the oldest sample how old that is, which is less than the lag, or `undefined` while that is
   * within the reach: at the start it may be a moment behind, or a day. `undefined` when there is no sample, too
   */
  lagOf(replayed: Lsn, now: number): number | undefined {
    // The first sample that the replica has not reached.
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lsnOf(middle) > replayed) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    if (low === 0) {
      const least = this.#size === 0 ? 0 : now - this.#atOf(0);
      return least > this.#reach ? least : undefined;
    }
    if (low === this.#size) {
      return 0;
    }
    const from = this.#lsnOf(low - 1);
    const since = this.#atOf(low - 1);
    const share = Number(replayed - from) / Number(this.#lsnOf(low) - from);
    return Math.max(0, now - (since + share * (this.#atOf(low) - since)));
  }

  /**
   * Whoever has replayed so far shows all that was committed before `at`: the position of the first sample since.
   * @param at monotonic ms
   * @returns `undefined` when there is no sample since
   */
  floorSince(at: number): Lsn | undefined {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#atOf(middle) >= at) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low === this.#size ? undefined : this.#lsnOf(low);
  }

  /** Whether the sample tells nothing once there is another one at `lsn`. */
  #isBetween(nth: number, lsn: Lsn): boolean {
    return lsn === this.#lsnOf(nth) && lsn === this.#lsnOf(nth - 1);
  }

  /** Whether the sample follows the one before it sooner than is needed. */
  #isSoon(nth: number): boolean {
    return this.#atOf(nth) - this.#atOf(nth - 1) < this.#reach / SAMPLES;
  }

  #index(nth: number): number {
    return (this.#first + nth) % this.#capacity;
  }

  #atOf(nth: number): number {
    return this.#at[this.#index(nth)]!;
  }

  #lsnOf(nth: number): Lsn {
    return this.#lsn[this.#index(nth)]!;
  }
}
