import type { Lsn } from './lsn.ts';

/**
 * What a session has written last: a replica that has replayed so far shows all of it. A position means nothing in another
 * cluster, or on another timeline (after a promotion the same numbers stand for other transactions), so both are in it.
 */
export interface Token {
  /** A digest of the cluster's system identifier. */
  readonly cluster: string;
  /** PostgreSQL's timeline id: one more after each promotion. */
  readonly timeline: number;
  /** `0n` where the database does not tell positions (time mode). */
  readonly lsn: Lsn;
  /** When it was taken, in ms since the epoch. */
  readonly at: number;
}
