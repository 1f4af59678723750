import type { Cluster, Emit } from './cluster.ts';
import type { Consistency } from './consistency.ts';
import type { Lsn } from './lsn.ts';
import type { RouteReason } from './route-channel.ts';
import type { Session } from './session.ts';

/** What a read needs: the primary, and why; or a replica that has replayed up to `floor`, if there is one. */
export type Needs = OnPrimary | OnReplica;

interface OnPrimary {
  readonly primary: RouteReason;
  /** The session's token is of this timeline, which has begun without this process hearing of it: the primary is another one. */
  readonly unheardOf?: number;
}

interface OnReplica {
  readonly floor: Lsn | undefined;
  /** The session's token is what the floor is made of: if nobody has got so far, it may be forged. */
  readonly token: boolean;
  readonly tellShown: boolean;
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
  limits: { readonly tokenTtl: number; readonly pin: number },
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
  const own = ownWrites(session, cluster, limits, emit);
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

function ownWrites(
  session: Session,
  cluster: Cluster,
  limits: { readonly tokenTtl: number; readonly pin: number },
  emit: Emit,
): Needs {
  const { token } = session;
  if (token === undefined) {
    return NOTHING;
  }
  const age = Date.now() - token.at;
  if (age > limits.tokenTtl) {
    session.forgetToken();
    return NOTHING;
  }
  if (cluster.id === undefined && cluster.mode === 'lsn') {
    return { primary: 'primary-pinned' };
  }
  if (cluster.id !== undefined && token.cluster !== cluster.id) {
    session.forgetToken();
    emit('token.rejected', { why: 'cluster' });
    return NOTHING;
  }
  // Without a position only time can tell.
  if (cluster.mode === 'time' || token.lsn === 0n) {
    return age < limits.pin ? { primary: 'primary-pinned' } : NOTHING;
  }
  if (token.timeline !== cluster.timeline) {
    return otherTimeline(token.timeline, token.lsn, cluster, emit);
  }
  return { floor: token.lsn, token: true, tellShown: false };
}

/** Positions of an older timeline hold on this one as far as its history is common. */
function otherTimeline(timeline: number, lsn: Lsn, cluster: Cluster, emit: Emit): Needs {
  const current = cluster.timeline ?? 0;
  const switchpoint = timeline + 1 === current ? cluster.switchpointAfter(timeline) : undefined;
  if (switchpoint !== undefined && lsn <= switchpoint) {
    return { floor: lsn, token: true, tellShown: false };
  }
  emit('token.timeline', { token: timeline, primary: current });
  return timeline > current ? { primary: 'primary-timeline', unheardOf: timeline } : { primary: 'primary-timeline' };
}
