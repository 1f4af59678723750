import { amount, childrenOf, texts } from '../plan-json.ts';
import { above, rowsOf, type Visit, wasRun } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { count } from './words.ts';

/** At least 10,000 rows are read and sorted for a Limit that takes less than a hundredth of them. */
export const sortedLimit: PlanRule = visit => {
  const { node, type } = visit;
  const limit = limitOf(visit);
  const [child] = childrenOf(node);
  if (type !== 'Sort' || !limit || !child) {
    return undefined;
  }
  const sorted = rowsOf(child);
  const taken = wasRun(limit.node) ? rowsOf(limit.node) : amount(limit.node, 'Plan Rows');
  if (sorted < 10_000 || sorted < 100 * taken) {
    return undefined;
  }
  const keys = texts(node, 'Sort Key').join(', ');
  return {
    text:
      `Limit takes ${count(taken)} of ${wasRun(node) ? '' : 'about '}${count(sorted)} rows that are read and sorted by ${keys}: ` +
      'an index in that order would give them at once.',
    relation: undefined,
    severity: 'warning',
    fix: undefined,
  };
};

/** The Limit that a sort works for. */
export function limitOf(visit: Visit): Visit | undefined {
  for (const each of above(visit)) {
    if (each.type === 'Limit') {
      return each;
    }
    if (!THROUGH.has(each.type)) {
      return undefined;
    }
  }
  return undefined;
}

const THROUGH: ReadonlySet<string> = new Set(['Gather Merge', 'Gather', 'Result', 'Subquery Scan', 'ProjectSet']);
