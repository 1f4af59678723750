import type { Lsn } from './lsn.ts';

/** Where the primary was, and when. */
export interface Position {
  /** Monotonic ms of this process, from before it asked. */
  readonly at: number;
  readonly lsn: Lsn;
}

/**
 * Where the primary was in the last minutes. From this follows how far a replica is behind in time, without comparing
 * clocks and without privileges, and right on an idle primary: a replica that has replayed all is 0 ms behind, however
 * long ago the last transaction was (`now() - pg_last_xact_replay_timestamp()` says otherwise).
 *
 * A ring; of samples at the same position it keeps the first and the last only (those between tell nothing), so that it
 * reaches far back when little is written. A call is a binary search and makes no objects.
 */
export class Positions {
  readonly #capacity: number;
  // Two plain arrays: reading an element makes no object, not even a bigint.
  readonly #at: number[] = [];
  readonly #lsn: Lsn[] = [];
  /** Index of the oldest. */
  #first = 0;
  #size = 0;

  /** @param capacity how many samples it holds, at least 1 */
  constructor(capacity = 120) {
    this.#capacity = capacity;
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
      } else if (last > 0 && lsn === this.#lsnOf(last) && lsn === this.#lsnOf(last - 1)) {
        this.#at[this.#index(last)] = at;
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
   * @returns `undefined` when there is no sample, or the replica is before the oldest one: further than can be told
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
      return undefined;
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
