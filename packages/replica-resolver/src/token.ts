import type { Lsn } from './lsn.ts';

/**
 * What a session has written last: a replica that has replayed so far shows all of it. A position means nothing in
 * another cluster, or on another timeline (after a promotion the same numbers stand for other transactions), so both
 * are in it.
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

/**
 * What a session has written that has written both. Of one cluster: the position of the later timeline, and there the
 * greater one; `at` is the later one. So tokens of one cluster can be merged in any order, and as often as one likes.
 *
 * Tokens of different clusters have nothing in common: the one with the later `at` is kept (at the same moment, the
 * greater name). Trap: with more than one cluster the result depends on the order, since what is dropped does not come
 * back.
 */
export function mergeTokens(a: Token | undefined, b: Token | undefined): Token | undefined {
  if (a === undefined || b === undefined) {
    return a ?? b;
  }
  if (a.cluster !== b.cluster) {
    return a.at > b.at || (a.at === b.at && a.cluster > b.cluster) ? a : b;
  }
  const further = a.timeline > b.timeline || (a.timeline === b.timeline && a.lsn >= b.lsn) ? a : b;
  const at = Math.max(a.at, b.at);
  return further.at === at ? further : { ...further, at };
}
