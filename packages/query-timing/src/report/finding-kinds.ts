import type { Finding, FindingKind } from '../finding.ts';

/** What each kind of finding is called on the page and in Markdown. */
export const kindNames: Readonly<Record<FindingKind, string>> = {
  slow: 'Slow query',
  'n+1': 'N+1',
  'mn+1': 'MN+1',
  duplicate: 'Duplicate query',
  'paged-loop': 'Paged loop',
  'write-loop': 'Write loop',
  plan: 'Plan',
  'missing-index': 'Missing index',
  'missing-foreign-key-index': 'Foreign key without index',
  'unused-index': 'Unused index',
  'duplicate-index': 'Duplicate index',
  'idle-in-transaction': 'Idle in transaction',
  'long-transaction': 'Long transaction',
  'pool-wait': 'Wait for a connection',
};

/** What sentences of some kinds begin with, for where nothing else tells the kind. */
const beginnings: Partial<Readonly<Record<FindingKind, string>>> = {
  slow: 'Slow: ',
  'n+1': 'N+1: ',
  'mn+1': 'MN+1: ',
  duplicate: 'Duplicate: ',
  'paged-loop': 'Paged loop: ',
  'write-loop': 'Write loop: ',
};

/** The sentence of a finding beside which its kind stands: without the kind at its beginning. Pure. */
export function sentenceOf({ kind, title }: Pick<Finding, 'kind' | 'title'>): string {
  const beginning = beginnings[kind];
  return beginning !== undefined && title.startsWith(beginning) ? title.slice(beginning.length) : title;
}
