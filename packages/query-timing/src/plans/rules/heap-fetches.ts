import { amount, text } from '../plan-json.ts';
import { rowsOf } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { count, quoted } from './words.ts';

/** An index-only scan that has to look at the table all the same, for at least 1,000 rows and half of all. */
export const heapFetches: PlanRule = ({ node, type }) => {
  const fetches = amount(node, 'Heap Fetches');
  const name = text(node, 'Relation Name');
  if (type !== 'Index Only Scan' || name === undefined || fetches < 1_000 || fetches < rowsOf(node) / 2) {
    return undefined;
  }
  return {
    text:
      `Index Only Scan on ${name} using ${text(node, 'Index Name')} looked ${count(fetches)} rows up in the table for ` +
      `${count(rowsOf(node))} rows: its visibility map is out of date.`,
    relation: name,
    severity: 'warning',
    fix: `vacuum ${quoted(name)};`,
  };
};
