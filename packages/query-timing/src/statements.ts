import type { QueryRecord } from './query-record.ts';
import type { OpenSideConnection } from './side-connection.ts';

/**
 * What matchers that explain a query need of a timing, and nobody else does. It is not part of `QueryTiming`: statements as
 * they were sent have their values in them.
 */
export interface StatementSource {
  /**
   * Calls `fn` with each query that was answered, its record not yet complete, and with what was sent for it.
   * @returns ends it
   */
  watch(fn: (query: QueryRecord, sql: string, values: readonly unknown[]) => void): () => void;
  readonly open: OpenSideConnection;
}

/** Where a timing has its `StatementSource`: the same in each copy of this package that a bundler makes. */
export const STATEMENTS: unique symbol = Symbol.for('@mikrokit/query-timing:statements');
