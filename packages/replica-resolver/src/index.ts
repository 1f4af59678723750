export type { Consistency } from './consistency.ts';
export {
  CommitOutcomeUnknownError,
  OptionsError,
  ReplicaResolverError,
  type ReplicaResolverErrorCode,
} from './errors.ts';
export type { ResolverEvents, TokenRejection } from './events.ts';
export type { NodeState } from './node-state.ts';
export type { ReplicaResolver, Scope } from './resolver.ts';
export type { NodeSnapshot, Snapshot } from './snapshot.ts';
