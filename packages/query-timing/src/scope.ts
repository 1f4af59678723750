import type { Finding } from './finding.ts';
import type { QueryRecord } from './query-record.ts';

/** What a scope is: a request or job (`timing.run()`, middleware), else a fork, else the process. */
export type ScopeKind = 'request' | 'job' | 'fork' | 'process';

/** A scope that is over, or as far as it has come. */
export interface ScopeReport {
  /** Counts up in one ORM. */
  readonly id: number;
  readonly kind: ScopeKind;
  readonly name: string;
  /** In ms since the epoch. */
  readonly start: number;
  /** From its begin to its end, in µs. */
  readonly took: number;
  readonly open: boolean;
  readonly queries: number;
  readonly errors: number;
  readonly rows: number;
  /** Sums over its queries, in µs. */
  readonly wait: number;
  readonly send: number;
  readonly database: number;
  readonly after: number;
  /** Different shapes. */
  readonly shapes: number;
  readonly findings: readonly Finding[];
  /** In the order of their start; the first of them, if there are very many. */
  readonly records: readonly QueryRecord[];
}
