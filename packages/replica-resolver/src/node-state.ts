/**
 * What the resolver thinks of a node.
 * - `unknown`: not probed yet; `warming`: healthy, its share of reads grows (slow start); `up`;
 * - `lagging`: further behind than `maxLag`; `suspect`: a soft fault, probed now; `down`; `draining`: by hand, or shutting down;
 * - `candidate-primary`: was a replica and takes writes; `primary`; `fenced`: must not be used (an old primary, a stranger).
 */
export type NodeState =
  | 'unknown'
  | 'warming'
  | 'up'
  | 'lagging'
  | 'suspect'
  | 'down'
  | 'draining'
  | 'candidate-primary'
  | 'primary'
  | 'fenced';
