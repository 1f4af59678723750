import { readExpression, readInside } from './expressions.ts';
import { MOVING } from './functions.ts';
import { JOIN_CLAUSES, NO_ALIAS } from './keywords.ts';
import { startsQuery } from './query-start.ts';
import { DEPTH, type Reading } from './reading.ts';
import { aliasAt, noteUse, type Relation, relationAt } from './relations.ts';
import { type Item, itemOf } from './where.ts';

const JOINS = new Set(['natural', 'inner', 'left', 'right', 'full', 'outer', 'cross', 'join']);

/** Reads the relations and joins of a FROM or USING into `items`; @returns where the clause ends. */
export function readFrom(reading: Reading, from: number, to: number, items: Item[]): number {
  let at = from;
  for (;;) {
    at = readItem(reading, at, to, items);
    for (;;) {
      const token = reading.tokens[at];
      if (at >= to || token === undefined) {
        return at;
      }
      if (token.kind === ',') {
        at++;
        break;
      }
      if (token.kind !== 'word') {
        return at;
      }
      if (JOINS.has(token.text)) {
        while (at < to && !reading.is(at, 'join')) {
          if (!JOINS.has(reading.tokens[at]!.text)) {
            reading.lose('a join');
            return to;
          }
          at++;
        }
        at++;
        break;
      }
      if (token.text === 'on' && !reading.is(at + 1, 'conflict')) {
        at = readExpression(reading, at + 1, to, JOIN_CLAUSES, true);
      } else if (token.text === 'using' && reading.tokens[at + 1]?.kind === '(') {
        at = reading.close[at + 1]! + 1;
        if (reading.is(at, 'as')) {
          at += 2;
        }
      } else if (token.text === 'tablesample') {
        reading.refuse('tablesample');
        while (at < to && reading.tokens[at]!.kind !== '(') {
          at++;
        }
        if (at < to) {
          readExpression(reading, at + 1, reading.close[at]!);
          at = reading.close[at]! + 1;
        }
        if (reading.is(at, 'repeatable') && reading.tokens[at + 1]?.kind === '(') {
          readExpression(reading, at + 2, reading.close[at + 1]!);
          at = reading.close[at + 1]! + 1;
        }
      } else {
        return at;
      }
    }
  }
}

function readItem(reading: Reading, from: number, to: number, items: Item[]): number {
  let at = from;
  const lateral = reading.is(at, 'lateral');
  at = lateral ? at + 1 : at;
  if (reading.is(at, 'only')) {
    at++;
    if (reading.tokens[at]?.kind === '(') {
      const relation = relationAt(reading, at + 1, reading.close[at]!);
      if (relation === undefined) {
        reading.lose('what follows only');
        return to;
      }
      return readAliased(reading, { ...relation, end: reading.close[at]! + 1 }, to, items);
    }
  }
  const token = reading.tokens[at];
  if (at >= to || token === undefined) {
    reading.lose('the end of from');
    return to;
  }
  if (token.kind === '(') {
    const close = reading.close[at]!;
    if (startsQuery(reading, at + 1, close)) {
      reading.queryWithin(at + 1, close, lateral);
      const alias = aliasAt(reading, close + 1, to);
      items.push({ qualifier: alias.name, use: undefined });
      return alias.end;
    }
    if (++reading.depth > DEPTH) {
      reading.depth--;
      reading.lose('it is nested too deeply');
      return to;
    }
    const own: Item[] = [];
    if (readFrom(reading, at + 1, close, own) !== close) {
      reading.lose('a join in parentheses');
    }
    reading.depth--;
    const alias = aliasAt(reading, close + 1, to);
    if (alias.name === undefined) {
      items.push(...own);
    } else {
      items.push({ qualifier: alias.name, use: undefined });
    }
    return alias.end;
  }
  if (token.kind === 'word' && MOVING.has(token.text)) {
    reading.refuse(token.text);
    if (reading.tokens[at + 1]?.kind === '(') {
      at = reading.close[at + 1]!;
    }
    const alias = aliasAt(reading, at + 1, to);
    items.push({ qualifier: alias.name ?? token.text, use: undefined });
    return alias.end;
  }
  if (
    token.kind === 'word' &&
    token.text === 'rows' &&
    reading.is(at + 1, 'from') &&
    reading.tokens[at + 2]?.kind === '('
  ) {
    const close = reading.close[at + 2]!;
    readExpression(reading, at + 3, close);
    return readAfterFunction(reading, close + 1, to, undefined, items);
  }
  const relation = relationAt(reading, at, to);
  if (relation === undefined) {
    reading.lose('an item of from');
    return to;
  }
  if (relation.end < to && reading.tokens[relation.end]?.kind === '(') {
    readInside(reading, relation.end);
    return readAfterFunction(reading, reading.close[relation.end]! + 1, to, relation.name, items);
  }
  if (relation.written.kind === 'word' && NO_ALIAS.has(relation.written.text)) {
    reading.lose('a keyword in from');
    return to;
  }
  return readAliased(reading, relation, to, items);
}

/** `[with ordinality] [as] [alias] [(…)]` */
function readAfterFunction(
  reading: Reading,
  from: number,
  to: number,
  name: string | undefined,
  items: Item[],
): number {
  const at = reading.is(from, 'with') && reading.is(from + 1, 'ordinality') ? from + 2 : from;
  const alias = aliasAt(reading, at, to);
  items.push({ qualifier: alias.name ?? name, use: undefined });
  return alias.end;
}

/** Adds the use of a relation that is read, with the alias behind it. */
function readAliased(reading: Reading, relation: Relation, to: number, items: Item[]): number {
  const use = noteUse(reading, relation);
  const alias = aliasAt(reading, reading.isOperator(relation.end, '*') ? relation.end + 1 : relation.end, to);
  items.push(itemOf(relation, alias, use));
  return alias.end;
}
