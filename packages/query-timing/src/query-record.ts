import type { CallSite } from './call-site.ts';
import type { Scan } from './sql/scan.ts';

/**
 * One query. Numbers and short strings only: no parameter, row, entity or error is held by it, and its text has no values.
 */
export interface QueryRecord {
  /** Counts up in one ORM. */
  readonly id: number;
  /** Its text without values, and what that tells. */
  readonly shape: Scan;
  /** Class name of the entity that was asked for, where it is known. */
  readonly entity: string | undefined;
  /** The method of the EntityManager, `'qb'`, `'execute'`, `'kysely'`, `'begin'`, `'commit'` … */
  readonly operation: string | undefined;
  /** In ms since the epoch, with fractions. */
  readonly start: number;
  /** For a connection of the pool, in µs. */
  readonly wait: number;
  /** Until it was written to the socket, in µs. */
  readonly send: number;
  /** From there to its last row (network and decoding by the driver included), in µs. */
  readonly database: number;
  /** From there to the caller: mapping and hydration, in µs. */
  readonly after: number;
  /** All of it, in µs. */
  readonly took: number;
  /** Rows returned, or affected by a write; `undefined` if it failed. */
  readonly rows: number | undefined;
  /** SQLSTATE, or the class name of an error without one. Never a message, which may have values. */
  readonly error: string | undefined;
  /** Name of the server's connection, and what it was used as. */
  readonly node: string | undefined;
  readonly role: 'primary' | 'replica' | undefined;
  /** `em.id` of the fork. */
  readonly fork: number | undefined;
  /** The scope it belongs to, see `ScopeReport`. */
  readonly scope: number | undefined;
  /** Counts up; `undefined` outside of transactions. */
  readonly transaction: number | undefined;
  /** `label` of the query's logger context. */
  readonly label: string | undefined;
  /** Where it was called: of slow ones, repeats and a sample. */
  readonly site: CallSite | undefined;
  /** As the option `parameters` says: nothing, their types, hashes, or texts. */
  readonly parameters: readonly string[] | undefined;
  /** Calls that a batch answered with this query (`@mikrokit/batch-loader`). */
  readonly batch: number | undefined;
  /** What the result cache did before it was sent (`@mikrokit/result-cache`): `'miss: expired'`, `'bypass: locked'` … */
  readonly cache: string | undefined;
  /** Why it went where it went (`@mikrokit/replica-resolver`). */
  readonly route: string | undefined;
}
