import type { EntityMetadata } from '@mikro-orm/core';
import type { CacheChannel } from './cache-channel.ts';
import type { CachedReads } from './cached-reads.ts';
import type { DatabaseFacts } from './database-facts.ts';
import type { OpenTransaction } from './open-transaction.ts';
import type { CacheSetting, EntityCacheOptions, Policy } from './policy.ts';
import type { ReadFamily } from './read-ahead.ts';
import type { ReadPlan } from './read-plan.ts';
import type { Connection } from './seam/connection.ts';
import type { DriverOptions } from './seam/driver-reads.ts';
import type { Counters } from './stats.ts';
import type { TagIds } from './tags.ts';

/** What `QueryReads` has to know of its ORM. */
export interface ReadContext {
  readonly cached: CachedReads;
  readonly channel: CacheChannel;
  readonly counters: Counters;
  readonly defaults: Policy;
  /** `resultCache.global` of MikroORM's config. */
  readonly globally: CacheSetting;
  optionsOf(meta: EntityMetadata): EntityCacheOptions | undefined;
  settingOf(options: DriverOptions): CacheSetting;
  familyOf(options: DriverOptions): ReadFamily | undefined;
  planOf(sql: string): ReadPlan;
  /** The statement with its values in it, as it is sent. */
  formatted(sql: string, params: readonly unknown[]): string;
  /** Asks the database once who it is. */
  facts(): DatabaseFacts | Promise<DatabaseFacts>;
  readonly user: string;
  registry(): string;
  tagIds(): TagIds;
  /** Of the EntityManager, and of the one whose context MikroORM would set on a connection (`sessionContext: 'connection'`). */
  sessionContextsOf(
    em: object | undefined,
  ): readonly [own: SessionContext | undefined, ambient: SessionContext | undefined];
  /** The transaction that a context of MikroORM's is, if it is one of those that are watched. */
  transactionOf(context: object): Promise<OpenTransaction | undefined>;
  /** Where rows to keep are read: replication lag cannot make them too old there. */
  primary(): Connection;
  /** Whether columns are computed by functions of the user's: in an entity, or in any. */
  hasFormulas(meta: EntityMetadata | undefined): boolean;
  /** Whether filters exist, whose conditions on joined relations depend on the EntityManager. */
  hasFilters(): boolean;
  /** Why nothing is cached at all for now. */
  off(): string | undefined;
}

/** What row-level security depends on. */
export interface SessionContext {
  readonly variables?: object;
}
