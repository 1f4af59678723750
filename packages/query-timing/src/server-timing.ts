import type { ScopeReport } from './scope.ts';

/**
 * A value for the header `Server-Timing`, which browsers show beside the request
 * (https://www.w3.org/TR/server-timing/): all queries, and their time, in ms, of which waiting for a connection, handing over
 * (if that is a tenth or more), in the database, and mapping and hydration. The times are sums: of queries side by side, more than the request took.
 *
 * `sql;desc="12 queries";dur=34.1, sqlwait;dur=0.4, sqldb;dur=27, sqlhydrate;dur=6`
 *
 * Numbers only, at most 500 characters.
 *
 * Trap: whoever sends the request can read it. How long a query took may tell whether a row was there.
 */
export function serverTiming(scope: ScopeReport): string {
  const { queries, errors, wait, send, database, after } = scope;
  const failed = errors === 0 ? '' : `, ${errors} failed`;
  return [
    `sql;desc="${queries} ${queries === 1 ? 'query' : 'queries'}${failed}";dur=${ms(wait + send + database + after)}`,
    `sqlwait;dur=${ms(wait)}`,
    ...(send > 0 && send >= (wait + send + database + after) * 0.1 ? [`sqlsend;dur=${ms(send)}`] : []),
    `sqldb;dur=${ms(database)}`,
    `sqlhydrate;dur=${ms(after)}`,
  ].join(', ');
}

/** To a tenth: finer figures are noise, and tell more than they should. */
function ms(us: number): number {
  return Math.round(us / 100) / 10;
}
