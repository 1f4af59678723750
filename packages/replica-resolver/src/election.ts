/** What a server says of itself when it is probed. */
export interface Claim {
  /** Its name. */
  readonly node: string;
  /** `pg_is_in_recovery()` */
  readonly inRecovery: boolean;
  /** `default_transaction_read_only` */
  readonly readOnly: boolean;
  /** The timeline it is on. Trap: `pg_control_checkpoint()` tells the old one until the checkpoint after a promotion. */
  readonly timeline: number;
}

/** What servers' claims come to. Names are sorted. */
export interface Election {
  /** `undefined`: none of those who answered may take writes. */
  readonly primary: string | undefined;
  /** The highest timeline ever seen, to be passed to the next election. */
  readonly timeline: number;
  /** Take writes on a timeline that has ended: they must not be used. */
  readonly fenced: readonly string[];
  /** Take writes on the same, newest timeline; empty unless there are two or more. */
  readonly splitBrain: readonly string[];
}

/**
 * Who takes writes: not in recovery, not read-only, and on the highest timeline ever seen. A server in recovery that is on a
 * newer timeline than every primary is proof of a promotion, though the new primary may not have answered yet.
 *
 * Where two or more qualify, `current` stays if it is one of them; otherwise there is none. Writes to the wrong one of two
 * are lost, so this never guesses.
 * @param claims of those who answered, in any order
 * @param current who takes writes until now
 * @param highestTimeline the highest timeline ever seen, 0 at the start
 */
export function elect(claims: readonly Claim[], current: string | undefined, highestTimeline: number): Election {
  const timeline = claims.reduce((highest, claim) => Math.max(highest, claim.timeline), highestTimeline);
  const fenced = names(claims.filter(claim => !claim.inRecovery && claim.timeline < timeline));
  const able = names(claims.filter(claim => !claim.inRecovery && !claim.readOnly && claim.timeline === timeline));
  if (able.length < 2) return { primary: able[0], timeline, fenced, splitBrain: [] };
  return { primary: able.find(name => name === current), timeline, fenced, splitBrain: able };
}

function names(claims: readonly Claim[]): string[] {
  return [...new Set(claims.map(claim => claim.node))].toSorted();
}
