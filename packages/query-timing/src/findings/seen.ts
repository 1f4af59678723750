import type { QueryRecord } from '../query-record.ts';

/** A query of a scope, when it is over. */
export interface Seen {
  readonly record: QueryRecord;
  /** With `?` (MikroORM) or `$n` (Kysely); not kept. */
  readonly sql: string;
  /** Not kept. */
  readonly parameters: readonly unknown[];
  /** Not kept. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** The call of the EntityManager it was made for. */
  readonly operation: OperationTrace | undefined;
}

/** A call of the EntityManager. */
export interface OperationTrace {
  readonly id: number;
  /** `find`, `findOne`, `count`, `flush`, `insert`, `upsert`, `nativeUpdate`, `transactional` … */
  readonly name: string;
  /** Class name. */
  readonly entity: string | undefined;
  /** `em.id` of the fork it was called on. */
  readonly fork?: number | undefined;
  /** The call that made this one: populate, a lazy load inside … */
  readonly parent: OperationTrace | undefined;
}

/** When repeats are a finding. */
export interface AnalysisSettings {
  /** So many with different parameters. */
  readonly threshold: number;
  /** That took so long together, in ms. */
  readonly minTime: number;
  /** Not those of such a file, function, entity or shape. */
  readonly ignore: readonly (string | RegExp)[];
  /** Keeps hashes of what key columns held. */
  readonly proof: boolean;
  /**
   * Asks for the call site of everything that may be a parent, not only of what has been one before: for development, since
   * it costs a stack for each query with several rows. @default false
   */
  readonly eagerSites?: boolean;
}
