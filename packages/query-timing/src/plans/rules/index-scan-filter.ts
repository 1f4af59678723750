import { text } from '../plan-json.ts';
import { removedOf, rowsOf } from '../plan-walk.ts';
import type { PlanRule } from './rule.ts';
import { columnsOf, count, named } from './words.ts';

/** An index finds too much: at least 1,000 rows are thrown away after it, and ten times as many as are kept. */
export const indexScanFilter: PlanRule = ({ node, type }) => {
  const name = text(node, 'Relation Name');
  const filter = text(node, 'Filter');
  const removed = removedOf(node);
  const kept = rowsOf(node);
  if (!FILTERED.has(type) || name === undefined || removed < 1_000 || removed < 10 * kept) {
    return undefined;
  }
  const index = text(node, 'Index Name');
  return {
    text:
      `${named(node)}${index === undefined ? '' : ` using ${index}`} finds ${count(removed + kept)} rows and keeps ` +
      `${count(kept)} by ${columnsOf(filter)}: the index has to have that, too.`,
    relation: name,
    severity: 'warning',
    fix: undefined,
  };
};

const FILTERED: ReadonlySet<string> = new Set(['Index Scan', 'Index Only Scan', 'Bitmap Heap Scan']);
