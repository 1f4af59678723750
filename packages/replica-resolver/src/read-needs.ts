import type { Cluster, Emit } from './cluster.ts';
import type { Consistency } from './consistency.ts';
import type { Lsn } from './lsn.ts';
import type { RouteReason } from './route-channel.ts';
import type { Session } from './session.ts';
import type { Token } from './token.ts';

/** What a read needs: the primary, and why; or a replica that has replayed up to `floor`, if there is one. */
export type Needs = OnPrimary | OnReplica;

interface OnPrimary {
  readonly primary: RouteReason;
  /** The session's token is of this timeline, which has begun without this process hearing of it: the primary is another one. */
  readonly unheardOf?: number;
}

export interface OnReplica {
  readonly floor: Lsn | undefined;
  /** The session's token is what the floor is made of: if nobody has got so far, it may be forged. */
  readonly token: boolean;
  readonly tellShown: boolean;
}

/** How long things count, in ms, and whether tokens are signed. */
export interface Limits {
  readonly tokenTtl: number;
  readonly pin: number;
  readonly signed: boolean;
}

const NOTHING: OnReplica = { floor: undefined, token: false, tellShown: false };
const TELL: OnReplica = { floor: undefined, token: false, tellShown: true };

/** How a consistency is called in messages. */
export function nameOf(consistency: Consistency): string {
  return typeof consistency === 'string' ? consistency : `bounded ${consistency.bounded} ms`;
}

/**
 * What a read of `consistency` in `session` needs. The cluster's id and timeline have to be known by now where a token
 * has to be compared; while they are not, only the primary is sure.
 */
export function needsOf(
  consistency: Consistency,
  session: Session,
  cluster: Cluster,
  limits: Limits,
  emit: Emit,
): Needs {
  if (consistency === 'eventual') {
    return NOTHING;
  }
  if (consistency === 'strong') {
    return { primary: 'primary-strong' };
  }
  if (typeof consistency === 'object') {
    return boundedBy(consistency.bounded, cluster);
  }
  if (session.pinnedUntil > performance.now()) {
    return { primary: 'primary-pinned' };
  }
  const own = writesOf(session, cluster, limits, emit);
  if (consistency === 'session' || 'primary' in own || cluster.mode === 'time') {
    return own;
  }
  const { read } = session;
  if (read === undefined) {
    return own.floor === undefined ? TELL : { ...own, tellShown: true };
  }
  if (read.timeline !== cluster.timeline) {
    return { primary: 'primary-timeline' };
  }
  const further = own.floor === undefined || read.lsn > own.floor;
  return { floor: further ? read.lsn : own.floor, token: own.token && !further, tellShown: true };
}

/** Everything that was committed more than `ms` ago is before the first position that was asked for since then. */
function boundedBy(ms: number, cluster: Cluster): Needs {
  const floor = cluster.mode === 'lsn' ? cluster.floorSince(performance.now() - ms) : undefined;
  return floor === undefined ? { primary: 'primary-not-caught-up' } : { floor, token: false, tellShown: false };
}

/** What the session has written itself, and what it was told of. */
function writesOf(session: Session, cluster: Cluster, limits: Limits, emit: Emit): Needs {
  const own = session.own(cluster.mode === 'time' ? limits.pin : limits.tokenTtl);
  const ofOwn = own === undefined ? NOTHING : needsFor(own, false, cluster, emit);
  if ('primary' in ofOwn) {
    return ofOwn;
  }
  const given = heeded(session, cluster, limits, emit);
  const ofGiven = given === undefined ? NOTHING : needsFor(given, true, cluster, emit);
  return 'primary' in ofGiven || (ofGiven.floor ?? 0n) > (ofOwn.floor ?? 0n) ? ofGiven : ofOwn;
}

/** The token that the session was given, if it says anything here. */
function heeded(session: Session, cluster: Cluster, limits: Limits, emit: Emit): Token | undefined {
  const { given } = session;
  if (given === undefined) {
    return undefined;
  }
  const age = Date.now() - given.at;
  if (age > (cluster.mode === 'time' ? limits.pin : limits.tokenTtl)) {
    session.forgetGiven(given);
    return heeded(session, cluster, limits, emit);
  }
  if (cluster.id !== undefined && given.cluster !== cluster.id) {
    session.forgetGiven(given);
    emit('token.rejected', { why: 'cluster' });
    return heeded(session, cluster, limits, emit);
  }
  // Without a position it asks for the primary, which anybody could write into a cookie.
  return given.lsn === 0n && cluster.mode === 'lsn' && !limits.signed ? undefined : given;
}

function needsFor(token: Token, given: boolean, cluster: Cluster, emit: Emit): Needs {
  // Without a position only time can tell; while nothing is known of the cluster, nothing can be compared.
  if (cluster.mode === 'time' || token.lsn === 0n || cluster.id === undefined) {
    return { primary: 'primary-pinned' };
  }
  return token.timeline === cluster.timeline
    ? { floor: token.lsn, token: given, tellShown: false }
    : otherTimeline(token.timeline, token.lsn, given, cluster, emit);
}

/** Positions of an older timeline hold on this one as far as its history is common. */
function otherTimeline(timeline: number, lsn: Lsn, given: boolean, cluster: Cluster, emit: Emit): Needs {
  const current = cluster.timeline ?? 0;
  const switchpoint = timeline + 1 === current ? cluster.switchpointAfter(timeline) : undefined;
  if (switchpoint !== undefined && lsn <= switchpoint) {
    return { floor: lsn, token: given, tellShown: false };
  }
  emit('token.timeline', { token: timeline, primary: current });
  return timeline > current ? { primary: 'primary-timeline', unheardOf: timeline } : { primary: 'primary-timeline' };
}
