import type { Cluster } from './cluster.ts';
import { ReplicaResolverError } from './errors.ts';

/** What a read is refused with: how each node is, and that it may be tried again. */
export function noEligibleNode(cluster: Cluster, cause?: unknown): ReplicaResolverError {
  const nodes = [...cluster.nodes].map(({ name, health, lag }) => {
    return `${name}: ${health.state}${lag === undefined ? '' : ` (${Math.round(lag)} ms behind)`}, ${health.why}`;
  });
  return new ReplicaResolverError(
    'NO_ELIGIBLE_NODE',
    `A read needs a replica that may answer it, or a place on the primary, but there is none: ${nodes.join('; ')}. ` +
      'It may be tried again; if it lasts, raise fallbackShare or add a replica.',
    { cause, retryable: true },
  );
}
