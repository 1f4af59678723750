import './augmentation.ts';

export type { Consistency } from './consistency.ts';
export {
  CommitOutcomeUnknownError,
  OptionsError,
  ReplicaResolverError,
  type ReplicaResolverErrorCode,
} from './errors.ts';
export type { ResolverEvents, TokenRejection } from './events.ts';
export type { RouteEvent, RouteReason } from './route-channel.ts';
export type { DnsTopology, NodeOptions, ReplicaResolverOptions, TopologyNode } from './options.ts';
export type { PoolOptions } from './pool-options.ts';
export { replicaResolver } from './replica-resolver.ts';
export { redisTokenStore, type RedisTokenStoreOptions, type TokenRedis } from './redis-token-store.ts';
export type { Candidate, Strategy } from './selection.ts';
export { type TokenStore, TokenStoreError } from './token-store.ts';
export type { NodeState } from './node-state.ts';
export type { ReplicaResolver, Scope } from './resolver.ts';
export type { NodeSnapshot, Snapshot } from './snapshot.ts';
