import { columnNameAt, readSets } from './assignments.ts';
import { plainValues, splitAtCommas } from './conditions.ts';
import { readExpression } from './expressions.ts';
import { CLAUSES } from './keywords.ts';
import type { Assignment, Equality, SqlValue, TableWrite } from './model.ts';
import { startsQuery } from './query-start.ts';
import type { Reading } from './reading.ts';
import { named } from './relations.ts';
import { readReturning, type Target } from './write-target.ts';

const DO = new Set(['do']);

/** `[(…)] [overriding …] values … | select … | default values [on conflict …] [returning …]` */
export function readInsert(
  reading: Reading,
  { relation, qualifier }: Target,
  from: number,
  to: number,
  end: number | undefined,
): number | undefined {
  let at = from;
  let columns: (string | undefined)[] | undefined;
  if (at < to && reading.tokens[at]!.kind === '(' && !startsQuery(reading, at + 1, reading.close[at]!)) {
    const close = reading.close[at]!;
    columns = splitAtCommas(reading.sql, at + 1, close).map(part =>
      part.to === part.from + 1 ? columnNameAt(reading, part.from) : undefined,
    );
    at = close + 1;
  }
  let overridden = false;
  if (reading.is(at, 'overriding')) {
    // `overriding user value`: an identity column has the sequence's value whatever is given, and which one is that is not known.
    overridden = !reading.is(at + 1, 'system');
    at += 3;
  }
  let equals: Equality[] = [];
  if (reading.is(at, 'default') && reading.is(at + 1, 'values')) {
    at += 2;
  } else if (reading.is(at, 'values')) {
    const rows = readRows(reading, at + 1, to);
    if (rows === undefined) {
      at = reading.query(at, to).at;
    } else {
      equals = columns === undefined || overridden ? [] : equalsOf(columns, rows.values);
      at = rows.end;
    }
  } else {
    at = reading.query(at, to).at;
  }
  const sets: Assignment[] = [];
  let upsert: TableWrite['upsert'];
  if (at < to && reading.is(at, 'on') && reading.is(at + 1, 'conflict')) {
    at += 2;
    let target: readonly (string | undefined)[] | undefined;
    if (reading.tokens[at]?.kind === '(' && at < to) {
      const close = reading.close[at]!;
      readExpression(reading, at + 1, close);
      target = splitAtCommas(reading.sql, at + 1, close).map(part =>
        part.to === part.from + 1 ? columnNameAt(reading, part.from) : undefined,
      );
      at = close + 1;
    }
    at = readExpression(reading, at, to, DO);
    if (reading.is(at + 1, 'update') && reading.is(at + 2, 'set')) {
      upsert = { columns: target?.every(column => column !== undefined) ? target : undefined };
      at = readSets(reading, at + 3, to, sets);
      if (at < to && reading.is(at, 'where')) {
        at = readExpression(reading, at + 1, to, CLAUSES);
      }
    } else if (reading.is(at + 1, 'nothing')) {
      at += 2;
    } else {
      return undefined;
    }
  }
  const returning = readReturning(reading, at, to, end);
  reading.writes.push({
    ...named(relation),
    how: 'insert',
    equals,
    sets,
    ...(upsert && { upsert }),
    ...returning.known,
    qualifier,
  });
  return returning.at;
}

/** The rows of VALUES, if nothing but rows follows. */
function readRows(
  reading: Reading,
  from: number,
  to: number,
): { values: (SqlValue | undefined)[][]; end: number } | undefined {
  const rows: { from: number; to: number }[] = [];
  let at = from;
  for (;;) {
    if (at >= to || reading.tokens[at]!.kind !== '(') {
      return undefined;
    }
    rows.push({ from: at + 1, to: reading.close[at]! });
    at = reading.close[at]! + 1;
    if (at >= to || reading.tokens[at]!.kind !== ',') {
      break;
    }
    at++;
  }
  if (at < to && !reading.is(at, 'on') && !reading.is(at, 'returning')) {
    return undefined;
  }
  return {
    values: rows.map(row => {
      readExpression(reading, row.from, row.to);
      return plainValues(reading.sql, row.from, row.to);
    }),
    end: at,
  };
}

/** The values that the rows of an insert have, column by column, where all are plain. */
function equalsOf(
  columns: readonly (string | undefined)[],
  rows: readonly (readonly (SqlValue | undefined)[])[],
): Equality[] {
  if (rows.some(row => row.length !== columns.length)) {
    return [];
  }
  const equals: Equality[] = [];
  columns.forEach((column, index) => {
    const values = rows.map(row => row[index]);
    if (column !== undefined && values.every(value => value !== undefined)) {
      equals.push({ column, values });
    }
  });
  return equals;
}
