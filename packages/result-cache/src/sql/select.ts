import { readExpression } from './expressions.ts';
import { readFrom } from './from.ts';
import { CLAUSES, SET_OPERATIONS, TAIL } from './keywords.ts';
import type { Reading } from './reading.ts';
import { noteUse, relationAt } from './relations.ts';
import { type Item, readWhere } from './where.ts';

/** The clauses of a select, in their order. */
const SELECT_ORDER = ['into', 'from', 'where', 'group', 'having', 'window'];

/** Selects, VALUES and TABLE with what combines and orders them. */
export function readBody(reading: Reading, from: number, to: number): number {
  let at = from;
  for (;;) {
    const token = reading.tokens[at];
    if (at < to && token?.kind === '(') {
      reading.queryWithin(at + 1, reading.close[at]!, false);
      at = reading.close[at]! + 1;
    } else if (at < to && reading.is(at, 'select')) {
      at = readSelect(reading, at + 1, to);
    } else if (at < to && reading.is(at, 'values')) {
      at = readExpression(reading, at + 1, to, CLAUSES);
    } else if (at < to && reading.is(at, 'table')) {
      at = reading.is(at + 1, 'only') ? at + 2 : at + 1;
      const relation = relationAt(reading, at, to);
      if (relation === undefined) {
        reading.lose('the name of a table');
        return to;
      }
      noteUse(reading, relation);
      at = reading.isOperator(relation.end, '*') ? relation.end + 1 : relation.end;
    } else {
      reading.lose('a query');
      return to;
    }
    const operation = reading.tokens[at];
    if (at >= to || operation?.kind !== 'word' || !SET_OPERATIONS.has(operation.text)) {
      break;
    }
    at++;
    if (reading.is(at, 'all') || reading.is(at, 'distinct')) {
      at++;
    }
  }
  while (at < to) {
    const token = reading.tokens[at]!;
    if (token.kind !== 'word' || !TAIL.has(token.text)) {
      break;
    }
    if (token.text === 'for') {
      let text = 'for';
      for (let next = at + 1; next < to && next < at + 5 && reading.tokens[next]!.kind === 'word'; next++) {
        text += ` ${reading.tokens[next]!.text}`;
        if (reading.is(next, 'update') || reading.is(next, 'share')) {
          break;
        }
      }
      reading.refuse(text);
    }
    at = readExpression(reading, at + 1, to, CLAUSES);
  }
  return at;
}

function readSelect(reading: Reading, from: number, to: number): number {
  const items: Item[] = [];
  let at = readExpression(reading, from, to, CLAUSES);
  let last = -1;
  for (;;) {
    const token = reading.tokens[at];
    if (at >= to || token?.kind !== 'word') {
      return at;
    }
    const place = SELECT_ORDER.indexOf(token.text);
    if (place !== -1 && place <= last) {
      reading.lose(`${token.text} in another place`);
    }
    last = place;
    switch (token.text) {
      case 'into':
        reading.into = true;
        at++;
        while (at < to && (reading.tokens[at]!.kind !== 'word' || !CLAUSES.has(reading.tokens[at]!.text))) {
          at++;
        }
        break;
      case 'from':
        at = readFrom(reading, at + 1, to, items);
        break;
      case 'where':
        at = readWhere(reading, at + 1, to, items);
        break;
      case 'group':
        reading.grouping = true;
        at = readExpression(reading, at + 1, to, CLAUSES);
        reading.grouping = false;
        break;
      case 'having':
      case 'window':
        at = readExpression(reading, at + 1, to, CLAUSES);
        break;
      default:
        return at;
    }
  }
}
