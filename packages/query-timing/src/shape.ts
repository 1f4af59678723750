import type { Histogram } from './histogram.ts';
import type { QueryRecord } from './query-record.ts';
import type { Scan } from './sql/scan.ts';

/** What queries of one shape (the same text without its values) cost. There is a bounded number of them. */
export interface Shape extends Scan {
  /** The entity of its first table, and what was called on it: of the first query that told. */
  readonly entity: string | undefined;
  readonly operation: string | undefined;
  readonly calls: number;
  readonly errors: number;
  readonly rows: number;
  /** Sums, in µs. */
  readonly took: number;
  readonly wait: number;
  readonly send: number;
  readonly database: number;
  readonly after: number;
  /** Of `took`, in µs. */
  readonly times: Histogram;
  /** The slowest, at most three. */
  readonly worst: readonly QueryRecord[];
  /** In ms since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
}
