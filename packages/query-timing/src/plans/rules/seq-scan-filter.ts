import { amount, text } from '../plan-json.ts';
import { removedOf, rowsOf, wasRun } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { columnsOf, count, named } from './words.ts';

/** A table is read from end to end for a few rows: at least 10,000 are thrown away, and ten times as many as are kept. */
export const seqScanFilter: PlanRule = ({ node, type }, { findTable }) => {
  const filter = text(node, 'Filter');
  const name = text(node, 'Relation Name');
  if (type !== 'Seq Scan' || filter === undefined || name === undefined) {
    return undefined;
  }
  const run = wasRun(node);
  const kept = run ? rowsOf(node) : amount(node, 'Plan Rows');
  const rows = findTable({ schema: text(node, 'Schema'), name })?.rows ?? 0;
  const removed = run ? removedOf(node) : rows - kept;
  if (removed < 10_000 || removed < 10 * kept) {
    return undefined;
  }
  return {
    text:
      `${named(node)} reads ${run ? '' : 'about '}${count(removed + kept)} rows and keeps ${count(kept)} by ` +
      `${columnsOf(filter)}: no index finds them.`,
    relation: name,
    severity: 'warning',
    fix: undefined,
  };
};
