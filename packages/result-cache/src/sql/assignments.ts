import { plainValue, plainValues, splitAtCommas } from './conditions.ts';
import { readExpression } from './expressions.ts';
import { SET_CLAUSES } from './keywords.ts';
import type { Assignment, SqlValue } from './model.ts';
import { startsQuery } from './query-start.ts';
import { isName, type Reading } from './reading.ts';

/** `a = …, (b, c) = (…)` @returns where the list ends */
export function readSets(reading: Reading, from: number, to: number, sets: Assignment[]): number {
  let at = from;
  for (;;) {
    const columns: (string | undefined)[] = [];
    let whole = true;
    const list = reading.tokens[at]?.kind === '(';
    if (list) {
      const close = reading.close[at]!;
      for (const part of splitAtCommas(reading.sql, at + 1, close)) {
        columns.push(columnNameAt(reading, part.from));
        whole &&= part.to === part.from + 1;
      }
      at = close + 1;
    } else {
      columns.push(columnNameAt(reading, at));
      at++;
      // A part of a column: `a.b = …`, `a[1] = …`
      while (at < to && !reading.isOperator(at, '=') && reading.tokens[at]!.kind !== ',') {
        whole = false;
        if (reading.tokens[at]!.kind === '[') {
          readExpression(reading, at + 1, reading.close[at]!);
          at = reading.close[at]!;
        }
        at++;
      }
    }
    if (at >= to || !reading.isOperator(at, '=') || columns.includes(undefined)) {
      reading.lose('an assignment');
      reading.opaque = true;
      return to;
    }
    const end = readExpression(reading, at + 1, to, SET_CLAUSES, true);
    let values: readonly (SqlValue | undefined)[] = [];
    if (!list) {
      values = [plainValue(reading.sql, at + 1, end)];
    } else {
      const open = reading.is(at + 1, 'row') ? at + 2 : at + 1;
      if (
        reading.tokens[open]?.kind === '(' &&
        reading.close[open] === end - 1 &&
        !startsQuery(reading, open + 1, end - 1)
      ) {
        values = plainValues(reading.sql, open + 1, end - 1);
      }
    }
    columns.forEach((column, index) =>
      sets.push({ column: column!, value: whole && values.length === columns.length ? values[index] : undefined }),
    );
    at = end;
    if (at >= to || reading.tokens[at]!.kind !== ',') {
      return at;
    }
    at++;
  }
}

/** The column that a token names, if it can be told. */
export function columnNameAt(reading: Reading, at: number): string | undefined {
  const token = reading.tokens[at];
  return token !== undefined && isName(token) && token.kind !== 'blank' ? token.text : undefined;
}
