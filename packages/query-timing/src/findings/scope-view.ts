import type { Finding } from '../finding.ts';
import type { Course } from './course.ts';
import type { ModelFacts } from './model-facts.ts';
import type { Group, Repeats } from './repeats.ts';
import type { AnalysisSettings } from './seen.ts';

/** What the rules look at. */
export interface ScopeView {
  readonly settings: AnalysisSettings;
  readonly facts: ModelFacts;
  readonly course: Course;
  /** In the order in which they were first seen. */
  readonly shapes: readonly Repeats[];
}

/** From so many queries, or so many µs, on it is an error. */
const MANY = 50;
const LONG = 100_000;

export function severityOf(count: number, cost: number): Finding['severity'] {
  return count >= MANY || cost >= LONG ? 'error' : 'warning';
}

/**
 * Whether each query was made by a fork of its own: a tenant, a message, a transaction each. What works in units on purpose
 * shares nothing between them. A fork that did nothing but look one row up is no unit.
 *
 * @param isLookUp each is for one row, by its own key
 */
export function isFannedOut({ course }: ScopeView, { hits }: Group, isLookUp: boolean): boolean {
  return (
    hits.length > 1 &&
    hits.every(({ fork }) => fork !== undefined && !(isLookUp && course.queriesOf(fork) === 1)) &&
    new Set(hits.map(({ fork }) => fork)).size === hits.length
  );
}

/** Calls that are no entity's: their answers are rows. */
const RAW: ReadonlySet<string> = new Set(['execute', 'kysely', 'qb']);

/** Whether it was written by hand. What reads a table of pairs alone is MikroORM's loading of a collection. */
export function isByHand(facts: ModelFacts, { method, shape }: Repeats): boolean {
  return method !== undefined && RAW.has(method) && !(method !== 'kysely' && facts.isPivot(facts.shape(shape).table));
}
