import { childrenOf } from '../plan-json.ts';
import { rowsOf, wasRun } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { count } from './words.ts';

/** At least 10,000 rows are made and thrown away by OFFSET. */
export const deepOffset: PlanRule = ({ node, type }, { offset }) => {
  const [child] = childrenOf(node);
  if (type !== 'Limit' || !child) {
    return undefined;
  }
  const passed = wasRun(node) ? rowsOf(child) - rowsOf(node) : (offset ?? 0);
  if (passed < 10_000) {
    return undefined;
  }
  return {
    text: `Limit throws ${count(passed)} rows away for OFFSET, more with each page: a cursor starts where the last page ended.`,
    relation: undefined,
    severity: 'warning',
    fix: 'em.findByCursor(…, { first: 20, after: cursor, orderBy: … })',
  };
};
