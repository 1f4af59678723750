import type { FindingKind } from '../finding.ts';

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
