import type { CallSite } from './call-site.ts';
import type { Finding } from './finding.ts';
import { findingId } from './finding-id.ts';
import { steadyName } from './findings/site-key.ts';
import type { OpenQuery } from './open-query.ts';

/* What is found by looking at the clock alone. */

const NOTHING = { parent: undefined, fix: undefined, scope: undefined } as const;

/** A query that took too long. @param limit in µs */
export function slowFinding(query: OpenQuery, limit: number): Finding {
  const { shape, site, wait, send, database, after, took, rows } = query;
  const evidence = [
    `waited ${ms(wait)} for a connection, ${ms(send + database)} in the database${after > 0 ? `, ${ms(after)} for entities` : ''}`,
  ];
  if (rows !== undefined) {
    evidence.push(`${rows} rows`);
  }
  const waited = wait > took / 2;
  return {
    ...NOTHING,
    id: findingId('slow', shape.id),
    kind: 'slow',
    severity: took >= limit * 10 ? 'error' : 'warning',
    title: waited
      ? `Slow: ${shape.summary} took ${ms(took)}, of which it waited ${ms(wait)} for a connection`
      : `Slow: ${shape.summary} took ${ms(took)} (limit ${ms(limit)})`,
    subject: shape.text,
    shape: shape.id,
    count: 1,
    cost: took,
    site,
    evidence,
  };
}

/** A transaction that did nothing while it held a connection. */
export function idleFinding({ site, shape, idled, before, place }: OpenQuery): Finding {
  return {
    ...NOTHING,
    id: findingId('idle-in-transaction', steadyName(named(site)), shape.id),
    kind: 'idle-in-transaction',
    severity: 'warning',
    title: `A transaction held a connection and did nothing for ${ms(idled * 1000)} between ${before} and ${shape.summary}`,
    subject: shape.text,
    shape: shape.id,
    count: 1,
    cost: idled * 1000,
    site,
    fix: 'Do what was waited for (a request to another service, a file, a computation) before the transaction begins, or after it.',
    evidence: [
      'The place is that of the statement that came after the wait.',
      `It was statement ${place} of the transaction.`,
    ],
  };
}

/** A transaction that was open for too long. */
export function longFinding({ site, shape, lasted, place }: OpenQuery): Finding {
  return {
    ...NOTHING,
    id: findingId('long-transaction', steadyName(named(site)), site === undefined ? shape.id : undefined),
    kind: 'long-transaction',
    severity: 'warning',
    title: `A transaction of ${place} statements was open for ${ms(lasted * 1000)}`,
    subject: shape.text,
    shape: shape.id,
    count: place,
    cost: lasted * 1000,
    site,
    fix: 'Make it shorter: its locks and its connection are held for so long, and vacuum cannot clean up after it.',
    evidence: [],
  };
}

/** Waits for connections in the last minute. @param p95 in µs */
export function poolFinding(pool: string, p95: number, count: number, max: number | undefined): Finding {
  return {
    ...NOTHING,
    id: findingId('pool-wait', pool),
    kind: 'pool-wait',
    severity: 'warning',
    title: `One query in twenty waited ${ms(p95)} or more for a connection of ${pool}`,
    subject: pool,
    shape: undefined,
    count,
    cost: p95 * count * 0.05,
    site: undefined,
    fix: 'Hold connections for a shorter time (transactions that wait, streams that are read slowly), or raise pool.max.',
    evidence: max === undefined ? [] : [`The pool has ${max} connections at the most.`],
  };
}

/** What tells transactions apart is seldom the arrow function that `em.transactional()` is given. */
/** The place, or the next one outwards that has a name. */
function named(site: CallSite | undefined): CallSite | undefined {
  return site?.function === undefined ? (site?.caller ?? site) : site;
}

function ms(us: number): string {
  const value = us / 1000;
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}
