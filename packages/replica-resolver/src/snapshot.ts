import type { Cluster } from './cluster.ts';
import type { NodeState } from './node-state.ts';
import type { ReadRouter } from './read-router.ts';

/** A node as it is now. */
export interface NodeSnapshot {
  readonly name: string;
  /** `host:port` */
  readonly address: string;
  readonly role: 'primary' | 'replica' | 'unknown';
  readonly state: NodeState;
  /** Why it is in this state. */
  readonly why: string;
  /** Since when, in ms since the epoch. */
  readonly since: number;
  /** How far behind the primary, in ms; `undefined` when it is not known. */
  readonly lag: number | undefined;
  readonly lagBytes: number | undefined;
  /** The lag is measured against the freshest replica, since the primary does not answer. */
  readonly lagRelative: boolean;
  readonly timeline: number | undefined;
  /** Round trip of the last probes, in ms (their median). */
  readonly rtt: number | undefined;
  /** Statements and transactions under way. */
  readonly inFlight: number;
  readonly pool: { readonly total: number; readonly idle: number; readonly waiting: number; readonly max: number };
  readonly weight: number;
  /** What slow start leaves of the weight, 0 to 1. */
  readonly ramp: number;
  readonly zone: string | undefined;
  /** What was last wrong with the node, never what was wrong with a statement: no values of users are in it. */
  readonly lastError: string | undefined;
  /** Reads it has answered. */
  readonly reads: number;
}

/** What `resolver.snapshot()` returns; JSON can hold it. */
export interface Snapshot {
  /** `'lsn'`: positions tell what a replica shows; `'time'`: only time does. */
  readonly mode: 'lsn' | 'time';
  readonly cluster: string | undefined;
  readonly timeline: number | undefined;
  readonly primary: string | undefined;
  readonly nodes: readonly NodeSnapshot[];
  readonly fallback: { readonly inUse: number; readonly waiting: number; readonly limit: number };
  /** Writes that wait for a primary. */
  readonly heldWrites: number;
  /** Reads by reason, since the start. */
  readonly routes: Readonly<Record<string, number>>;
}

/** The nodes of a cluster and the routes of a router, as they are now. */
export function snapshotOf(cluster: Cluster, router: ReadRouter): Snapshot {
  const { fallback } = router;
  const offset = Date.now() - performance.now();
  return {
    mode: cluster.mode,
    cluster: cluster.id,
    timeline: cluster.timeline,
    primary: cluster.primary?.name,
    nodes: [...cluster.nodes].map(node => ({
      name: node.name,
      address: node.spec.address,
      role:
        node === cluster.primary
          ? 'primary'
          : node.observation === undefined
            ? 'unknown'
            : node.observation.inRecovery
              ? 'replica'
              : 'primary',
      state: node.health.state,
      why: node.rejected ?? node.health.why,
      since: Math.round(node.health.since + offset),
      lag: node === cluster.primary ? 0 : node.lag,
      lagBytes: node === cluster.primary ? 0 : node.lagBytes,
      lagRelative: node.lagRelative,
      timeline: node.observation?.timeline,
      rtt: node.rtt,
      inFlight: node.pool.inFlight,
      pool: node.pool.counts,
      weight: node.weight,
      ramp: node.ramp,
      zone: node.zone,
      lastError: node.lastError,
      reads: node.reads,
    })),
    fallback: { inUse: fallback.budget.inUse, waiting: fallback.budget.waiting, limit: fallback.limit },
    heldWrites: cluster.heldWrites,
    routes: Object.fromEntries(router.routes),
  };
}
