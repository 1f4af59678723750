import { shown } from './checks.ts';
import { QueryTimingError } from './errors.ts';
import { detached } from './sql/statement-text.ts';
import type { ScopeOptions } from './timing.ts';

/* What a timing's methods are given. */

/** Tags of a scope, and characters of each, that are kept. */
const MOST_TAGS = 100;
const LONGEST_TAG = 1_000;
export function checkedFunction<T>(call: string, fn: T): T {
  if (typeof fn !== 'function') {
    throw new QueryTimingError('ARGUMENT', `${call} takes a function, but got: ${shown(fn)}. Write () => ….`);
  }
  return fn;
}

export function checkedScope(scope: ScopeOptions): ScopeOptions {
  const { name, kind } = (scope ?? {}) as Partial<ScopeOptions>;
  if (typeof name !== 'string' || (kind !== undefined && kind !== 'request' && kind !== 'job')) {
    throw new QueryTimingError(
      'ARGUMENT',
      `run(scope, fn) takes a name, or { name, kind: 'request' | 'job', tags }, but got: ${shown(scope)}. Give it a name.`,
    );
  }
  return scope.tags === undefined ? scope : { ...scope, tags: checkedTags(scope.tags) };
}

export function checkedTags(tags: unknown): Readonly<Record<string, string>> {
  if (typeof tags !== 'object' || tags === null || !Object.values(tags).every(value => typeof value === 'string')) {
    throw new QueryTimingError(
      'ARGUMENT',
      `tags are an object of texts, but got: ${shown(tags)}. Write { route: '/books/:id' }.`,
    );
  }
  // What runs in a scope holds on to its tags, a timer of an idle connection too: comments take no more than this of them.
  return Object.fromEntries(
    Object.entries(tags as Record<string, string>)
      .slice(0, MOST_TAGS)
      .map(([name, value]) => [bounded(name), bounded(value)]),
  );
}

function bounded(text: string): string {
  return text.length <= LONGEST_TAG ? text : detached(text.slice(0, LONGEST_TAG));
}
