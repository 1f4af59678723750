import { SET_OPERATIONS, TAIL } from './keywords.ts';
import { DEPTH, type Reading } from './reading.ts';

/** Whether what goes up to `close` is a query, rather than an expression that begins with one. */
export function startsQuery(reading: Reading, at: number, close: number, depth = 0): boolean {
  const token = reading.tokens[at];
  if (at >= close || token === undefined) {
    return false;
  }
  if (token.kind === '(') {
    const end = reading.close[at]!;
    const next = reading.tokens[end + 1];
    return (
      (end + 1 === close || (next?.kind === 'word' && (SET_OPERATIONS.has(next.text) || TAIL.has(next.text)))) &&
      depth < DEPTH &&
      startsQuery(reading, at + 1, end, depth + 1)
    );
  }
  if (token.kind !== 'word') {
    return false;
  }
  switch (token.text) {
    case 'select':
    case 'table':
    case 'with':
      return true;
    case 'values':
      return reading.tokens[at + 1]?.kind === '(';
    case 'insert':
    case 'update':
    case 'delete':
    case 'merge':
      // Columns may have these names; no column is followed by another name.
      return depth === 0 && reading.tokens[at + 1]?.kind === 'word';
    default:
      return false;
  }
}
