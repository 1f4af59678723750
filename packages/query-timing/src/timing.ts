import type { MikroORM } from '@mikro-orm/core';
import type { CountedFinding } from './finding.ts';
import type { QueryRecord } from './query-record.ts';
import type { ScopeReport } from './scope.ts';
import type { PoolReport, TimingReport } from './timing-report.ts';

/** What a scope is called, and what it takes along. */
export interface ScopeOptions {
  /** `GET /books/:id`: the route rather than the URL, so that equal requests have one name. At most 200 characters are kept. */
  readonly name: string;
  /** @default 'job' */
  readonly kind?: 'request' | 'job';
  /** Tags for SQL comments (`comments: 'full'`): `route`, `method`, `controller`, `action`, `job`, `traceparent`, your own. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** What is told of, beside queries. */
export interface TimingEvents {
  /** A scope is over. */
  scope: ScopeReport;
  /** Something was found; the same is told again with each scope it is found in. */
  finding: CountedFinding;
  /** A pool has opened a connection, which took so many µs. Not of a dialect of one's own, whose pool nobody knows. */
  connect: { readonly pool: string; readonly took: number };
  /** A connection was given back to its pool: how long was waited for it, and how long it was held, in µs. */
  connection: { readonly pool: string; readonly wait: number; readonly use: number };
}

/** What `queryTiming()` returns: MikroORM's `extensions: [...]` takes it, and the rest of the program asks it. */
export interface QueryTiming {
  /**
   * Called by MikroORM while it is constructed.
   * @throws QueryTimingError `ARGUMENT` for a second ORM, `UNSUPPORTED` for one that cannot be timed
   */
  register(orm: MikroORM): void;
  /**
   * Calls `fn` with each query when it is over, in the course of the query: what takes long there, its caller waits for. One
   * that throws is counted (`own.failures`), and is called again.
   * @returns ends it
   * @throws QueryTimingError `ARGUMENT` for what is no function
   */
  subscribe(fn: (record: QueryRecord) => void): () => void;
  /**
   * Calls `fn` when it happens.
   * @returns ends it
   * @throws QueryTimingError `ARGUMENT` for an event that there is not
   */
  on<Name extends keyof TimingEvents>(name: Name, fn: (event: TimingEvents[Name]) => void): () => void;
  /**
   * Runs `fn` as a scope: its queries are counted together, and findings are made when it is over (its promise is settled).
   * One within another is a scope of its own: the outer one does not count its queries.
   * @returns what `fn` returns
   * @throws QueryTimingError `ARGUMENT` for what is no name, and what `fn` throws
   */
  run<T>(scope: string | ScopeOptions, fn: () => T): T;
  /**
   * Renames the scope that is running now: of a request, once its route is known. At most 200 characters are kept. Outside of a scope nothing
   * happens. @throws QueryTimingError `ARGUMENT` for what is no text
   */
  rename(name: string): void;
  /** Adds tags for SQL comments to the queries of `fn`. */
  withTags<T>(tags: Readonly<Record<string, string>>, fn: () => T): T;
  /** Queries of `fn` are never reported as N+1. */
  withoutNPlusOne<T>(fn: () => T): T;
  /** Calls `fn` once for each scope whose queries take longer than this together. @param ms @returns ends it */
  whenQueryingForLongerThan(ms: number, fn: (scope: ScopeReport) => void): () => void;
  /** The scope that is running now, as far as it has come. */
  scope(): ScopeReport | undefined;
  /** What was found out since the start or the last `reset()`. */
  report(): TimingReport;
  /** The pools of `report()` alone: for what is asked every few seconds. */
  pools(): readonly PoolReport[];
  /** A pool of pg, which shows who else has wrapped pg; `undefined` before the first connection. */
  driver(): object | undefined;
  /** Forgets everything. */
  reset(): void;
  /** Resolves when what goes on beside the queries (plans, advice) has come to an end, for tests and scripts. */
  settled(): Promise<void>;
}
