import { amount, childrenOf, type PlanJson, text } from '../plan-json.ts';
import { rowsOf, wasRun } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { columnsOf, count, named } from './words.ts';

/** A table is read from end to end for each of at least 1,000 rows of the other side. */
export const nestedSeqScan: PlanRule = ({ node, type }) => {
  const [outer, inner] = childrenOf(node);
  if (type !== 'Nested Loop' || !outer || !inner) {
    return undefined;
  }
  const scan = scanned(inner);
  const loops = wasRun(node) ? amount(inner, 'Actual Loops') : rowsOf(outer);
  if (!scan || loops < 1_000) {
    return undefined;
  }
  const condition = text(node, 'Join Filter') ?? text(scan, 'Filter');
  const removed = amount(node, 'Rows Removed by Join Filter') * amount(node, 'Actual Loops');
  return {
    text:
      `Nested Loop goes through ${named(scan)} ${wasRun(node) ? '' : 'about '}${count(loops)} times` +
      `${removed > 0 ? ` and throws ${count(removed)} pairs away` : ''}: no index joins it by ${columnsOf(condition)}.`,
    relation: text(scan, 'Relation Name'),
    severity: 'warning',
    fix: undefined,
  };
};

/** The table that the inner side reads, kept in memory or not. */
export function scanned(inner: PlanJson): PlanJson | undefined {
  const type = text(inner, 'Node Type');
  const [child] = childrenOf(inner);
  return type === 'Seq Scan'
    ? inner
    : child && (type === 'Materialize' || type === 'Memoize')
      ? scanned(child)
      : undefined;
}
