import type { Lsn } from './lsn.ts';
import { Positions } from './positions.ts';

/** How far a replica is behind. */
export interface Lag {
  /** In ms; `undefined` when it is not known. */
  readonly ms: number | undefined;
  readonly bytes: number | undefined;
  /** It is measured against the freshest replica as well, since the primary does not answer. */
  readonly relative: boolean;
}

const UNKNOWN: Lag = { ms: undefined, bytes: undefined, relative: false };

/** How far the replicas are behind, by where the primary was and, while it does not answer, by the freshest of them. */
export class ReplicationLag {
  readonly #primary: Positions;
  readonly #freshest: Positions;

  /** @param maxLag lags up to this are told exactly, those beyond it at the least as greater, in ms */
  constructor(maxLag: number) {
    this.#primary = new Positions({ reach: maxLag });
    this.#freshest = new Positions({ reach: maxLag });
  }

  /** The primary has answered. @param at when it was asked, in ms of `performance.now()` */
  primaryWasAt(at: number, lsn: Lsn): void {
    this.#primary.add(at, lsn);
  }

  /** There is another primary: when its log was where, nobody has asked. */
  forgetPrimary(): void {
    this.#primary.clear();
  }

  /** A position at or after everything that was committed before `at` (ms of `performance.now()`); `undefined`: not known. */
  floorSince(at: number): Lsn | undefined {
    return this.#primary.floorSince(at);
  }

  /**
   * A replica has answered.
   * @param at when it was asked, in ms of `performance.now()`
   * @param primaryAnswers whether the primary's positions go on
   */
  replicaWasAt(at: number, replayed: Lsn | undefined, primaryAnswers: boolean): Lag {
    if (replayed === undefined) {
      return UNKNOWN;
    }
    if (replayed >= (this.#freshest.latest?.lsn ?? 0n)) {
      this.#freshest.add(at, replayed);
    }
    const now = performance.now();
    const last = this.#primary.latest;
    if (primaryAnswers || last === undefined) {
      return {
        ms: this.#primary.lagOf(replayed, now),
        bytes: last && bytesBetween(replayed, last.lsn),
        relative: false,
      };
    }
    // Of the primary, what it was behind when that was last heard of: since then nobody may have written, and a replica
    // that never gets the last bytes is not further behind each second.
    const known = this.#primary.lagOf(replayed, last.at);
    const relative = this.#freshest.lagOf(replayed, now);
    const freshest = this.#freshest.latest?.lsn ?? last.lsn;
    return {
      ms: known === undefined || relative === undefined ? (known ?? relative) : Math.max(known, relative),
      bytes: bytesBetween(replayed, freshest > last.lsn ? freshest : last.lsn),
      relative: true,
    };
  }
}

function bytesBetween(from: Lsn, to: Lsn): number {
  return to > from ? Number(to - from) : 0;
}
