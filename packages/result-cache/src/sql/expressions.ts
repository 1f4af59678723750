import { isCall, noteCall } from './calls.ts';
import { MOVING, movesWithTime } from './functions.ts';
import { MISPLACED, SYSTEM_COLUMNS } from './keywords.ts';
import { startsQuery } from './query-start.ts';
import { DEPTH, type Reading } from './reading.ts';

/** Grammar of which FROM is a part. */
const FROM_INSIDE = new Set(['extract', 'substring', 'trim', 'overlay', 'position']);

/**
 * Goes through an expression, or a list of them, until a word that ends it.
 *
 * @param comma whether a comma ends it as well
 * @param within the function that it is an argument of
 */
export function readExpression(
  reading: Reading,
  from: number,
  to: number,
  stop?: ReadonlySet<string>,
  comma = false,
  within?: string,
): number {
  const tokens = reading.tokens;
  let cases = 0;
  for (let at = from; at < to; at++) {
    const token = tokens[at]!;
    switch (token.kind) {
      case 'word':
        if (stop !== undefined && cases <= 0 && stop.has(token.text) && isClause(reading, at)) {
          return at;
        }
        if (token.text === 'case') {
          cases++;
        } else if (token.text === 'end') {
          cases--;
        } else if (MISPLACED.has(token.text)) {
          if (token.text !== 'from' || (!isDistinctFrom(reading, at) && !(within && FROM_INSIDE.has(within)))) {
            reading.lose(`${token.text} in an expression`);
          }
        } else if (MOVING.has(token.text)) {
          reading.refuse(token.text);
        } else if (SYSTEM_COLUMNS.has(token.text)) {
          reading.refuse(`reads ${token.text}`);
        } else if (token.text === 'timetz' && tokens[at - 1]?.text === '::') {
          reading.refuse('casts to timetz');
        }
        break;
      case 'name':
      case 'label':
        if (SYSTEM_COLUMNS.has(token.text) || token.text === 'timetz') {
          reading.refuse(`reads ${token.text}`);
        }
        break;
      case 'string':
      case 'odd':
        if (token.end - token.start >= 5 && movesWithTime(reading.source.slice(token.start, token.end))) {
          reading.refuse('a literal that names a time');
        }
        break;
      case '(':
        readInside(reading, at);
        at = reading.close[at]!;
        break;
      case '[':
        if (++reading.depth > DEPTH) {
          reading.lose('it is nested too deeply');
        } else {
          readExpression(reading, at + 1, reading.close[at]!);
        }
        reading.depth--;
        at = reading.close[at]!;
        break;
      case ',':
        if (comma) {
          return at;
        }
        break;
      default:
    }
  }
  return to;
}

/** Whether a word begins a clause, and is not a part of an expression. */
function isClause(reading: Reading, at: number): boolean {
  switch (reading.tokens[at]!.text) {
    case 'group':
    case 'order':
      return reading.is(at + 1, 'by');
    case 'from':
      return !isDistinctFrom(reading, at);
    case 'on':
      return reading.tokens[at - 1]?.text !== 'distinct';
    case 'left':
    case 'right':
      return reading.tokens[at + 1]?.kind !== '(';
    default:
      return true;
  }
}

/** `a is [not] distinct from b`, unlike `select distinct from t`. */
function isDistinctFrom(reading: Reading, at: number): boolean {
  return reading.is(at - 1, 'distinct') && (reading.is(at - 2, 'is') || reading.is(at - 2, 'not'));
}

/** Goes through what stands in parentheses. */
export function readInside(reading: Reading, open: number): void {
  const close = reading.close[open]!;
  if (++reading.depth > DEPTH) {
    reading.lose('it is nested too deeply');
  } else if (startsQuery(reading, open + 1, close)) {
    reading.queryWithin(open + 1, close, true);
    if (isCall(reading, open)) {
      noteCall(reading, open);
    }
  } else if (isCall(reading, open)) {
    readExpression(reading, open + 1, close, undefined, false, noteCall(reading, open));
  } else {
    readExpression(reading, open + 1, close);
  }
  reading.depth--;
}
