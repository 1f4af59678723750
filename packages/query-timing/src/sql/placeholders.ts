import { type Clause, ClauseReader, isSetColumn, type Place } from './clauses.ts';
import { type ColumnName, ComparisonReader } from './comparisons.ts';
import type { Sources } from './sources.ts';
import { readTokens, signAt, type Token } from './tokens.ts';

/** Where a placeholder stands. What cannot be told for sure is `undefined`. */
export interface Placeholder {
  /** Of its parameter, from 0. */
  readonly index: number;
  /** Without schema. */
  readonly table: string | undefined;
  /** What it is compared with, or set to. */
  readonly column: string | undefined;
  /**
   * As if the column stood first, in lower case: `=`, `in`, `not in`, `like`, `between`, `is distinct from`, `= any`, `>` of a row
   * too; `=` of what is set; `undefined` of what is inserted.
   */
  readonly operator: string | undefined;
  /** `where` is any condition: that of a join, too. */
  readonly place: Place;
}

/**
 * Where the placeholders of a statement stand, in the order of the text: those of MikroORM (`?`) or of PostgreSQL (`$1`; one that
 * stands twice is told twice). Takes time in proportion to the text, never throws, and tells of the first 20 000 pieces only.
 *
 * A column is told if the placeholder alone is compared with it alone, is set to it, or inserted in it: not of `lower(a) = ?`,
 * `a + ? = b` or `a = ? || 'x'`. A table is told by the alias before the column; without one, if the query has no other table.
 */
export function placeholders(sql: string): readonly Placeholder[] {
  const tokens = readTokens(sql);
  const clauses = new ClauseReader(tokens);
  const comparisons = new ComparisonReader(tokens);
  const found: Found[] = [];
  tokens.forEach(({ parameter }, at) => {
    clauses.read(at);
    if (parameter !== -1) {
      found.push({ index: parameter, ...placeAt(tokens, at, clauses.current, comparisons) });
    }
  });
  // Tables are known when all has been read: `from` comes behind `select`.
  return found.map(({ index, table, column, operator, place, sources }) => ({
    index,
    table: table ?? (column && sources?.tableOf(column.qualifier)),
    column: column?.name,
    operator,
    place,
  }));
}

interface Found {
  readonly index: number;
  /** The table that is written, where that is what counts. */
  readonly table?: string | undefined;
  readonly column?: ColumnName | undefined;
  readonly operator?: string | undefined;
  readonly place: Place;
  readonly sources?: Sources | undefined;
}

function placeAt(
  tokens: readonly Token[],
  at: number,
  clause: Clause,
  comparisons: ComparisonReader,
): Omit<Found, 'index'> {
  const { place, target, sources } = clause;
  if (clause.isRow && comparisons.isItem(at)) {
    const column = clause.columns?.[tokens[at]!.item];
    return { ...(column !== undefined && { table: target, column: { qualifier: undefined, name: column } }), place };
  }
  const set = place === 'set' && comparisons.isAlone(at) ? setColumn(tokens, at, clause) : undefined;
  if (set !== undefined) {
    return { table: target, column: { qualifier: undefined, name: set }, operator: '=', place };
  }
  const comparison = comparisons.at(at);
  if (comparison === undefined) {
    return { place };
  }
  const { column, operator } = comparison;
  if (place === 'set' && setsRow(tokens, at)) {
    return { table: target, column, operator, place };
  }
  return {
    table: column.qualifier === 'excluded' ? target : undefined,
    column,
    operator,
    // A condition within what is set or inserted.
    place: place === 'set' || place === 'values' ? 'other' : place,
    sources,
  };
}

/** `set "title" = ?`, `set "title" = case when … then ? else ? end` */
function setColumn(tokens: readonly Token[], at: number, clause: Clause): string | undefined {
  const before = signAt(tokens, at - 1);
  const isDirect = before === '=' && isSetColumn(tokens, at - 2);
  const isResult = clause.cases > 0 && (before === 'then' || before === 'else');
  return isDirect || isResult ? clause.setColumn : undefined;
}

/** `set ("a", "b") = (?, ?)` */
function setsRow(tokens: readonly Token[], at: number): boolean {
  const { open } = tokens[at]!;
  const before = signAt(tokens, open - 2) === ')' ? signAt(tokens, tokens[open - 2]!.open - 1) : '';
  return signAt(tokens, open - 1) === '=' && (before === 'set' || before === ',');
}
