import { amount, text } from '../plan-json.ts';
import type { PlanRule } from './rule.ts';
import { count, named } from './words.ts';

/** A bitmap that remembers pages instead of rows, since `work_mem` has no room for more. */
export const lossyBitmap: PlanRule = ({ node }) => {
  const lossy = amount(node, 'Lossy Heap Blocks');
  if (lossy === 0) {
    return undefined;
  }
  return {
    text:
      `${named(node)} remembered ${count(lossy)} of ${count(lossy + amount(node, 'Exact Heap Blocks'))} pages only as a ` +
      `whole and checked ${count(amount(node, 'Rows Removed by Index Recheck'))} rows in vain: its bitmap does not fit ` +
      'into work_mem.',
    relation: text(node, 'Relation Name'),
    severity: 'warning',
    fix: "set work_mem = '64MB';  -- for this role, or an index that finds fewer rows",
  };
};
