export { hints, type Hints, type HintsOptions } from './hints.ts';
export { relation, type RelationOptions } from './relation.ts';
export { connection, type ConnectionArgs, type ConnectionOptions } from './connection.ts';
export { aggregate, type Aggregate, type AggregateOptions } from './aggregate.ts';
export { resolveReference, type ReferenceResolver } from './resolve-reference.ts';
export type { RelationFind, Resolver, ResolverOptions, TargetOf } from './resolver-options.ts';
