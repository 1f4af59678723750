import { MOVING } from './functions.ts';
import { CLAUSES, MISPLACED, NO_CALL } from './keywords.ts';
import type { SqlValue } from './model.ts';
import type { Token } from './tokens.ts';

/** An equality as written: its column with what qualifies it. */
export interface QualifiedEquality {
  /** `[column]`, `[table, column]` or `[schema, table, column]`. */
  readonly path: readonly string[];
  readonly values: readonly SqlValue[];
}

/** Tokens with the partner of each opening parenthesis and bracket. */
export interface Nested {
  readonly tokens: readonly Token[];
  /** By index of the opening one, that of the closing one. */
  readonly close: Int32Array;
}

/** Nobody writes deeper conditions, and a depth without bounds is a stack without bounds. */
const DEPTH = 60;

/** The equalities that a condition consists of, ANDed at its top level: they hold for every row it lets through. */
export function readEqualities(sql: Nested, from: number, to: number, depth = 0): QualifiedEquality[] {
  const { tokens, close } = sql;
  const parts: { from: number; to: number }[] = [];
  let start = from;
  let cases = 0;
  // The AND of `between x and y` separates nothing.
  let between = false;
  for (let at = from; at < to; at++) {
    const token = tokens[at]!;
    if (token.kind === '(' || token.kind === '[') {
      at = close[at]!;
    } else if (token.kind === ',') {
      // A row, not a condition.
      return [];
    } else if (token.kind === 'word') {
      switch (token.text) {
        case 'or':
          if (cases === 0) {
            return [];
          }
          break;
        case 'case':
          cases++;
          break;
        case 'end':
          cases--;
          break;
        case 'between':
          between = true;
          break;
        case 'and':
          if (cases === 0) {
            if (between) {
              between = false;
            } else {
              parts.push({ from: start, to: at });
              start = at + 1;
            }
          }
          break;
        default:
      }
    }
  }
  parts.push({ from: start, to });
  const found: QualifiedEquality[] = [];
  for (const part of parts) {
    if (tokens[part.from]?.kind === '(' && close[part.from] === part.to - 1) {
      if (depth < DEPTH) {
        for (const equality of readEqualities(sql, part.from + 1, part.to - 1, depth + 1)) {
          found.push(equality);
        }
      }
    } else {
      for (const equality of equalitiesOf(sql, part.from, part.to)) {
        found.push(equality);
      }
    }
  }
  return found;
}

function equalitiesOf(sql: Nested, from: number, to: number): QualifiedEquality[] {
  const { tokens, close } = sql;
  const rowEnd = tokens[from]?.kind === '(' ? close[from]! : undefined;
  const columns = rowEnd === undefined ? undefined : columnsOf(sql, from + 1, rowEnd);
  const single = rowEnd === undefined ? columnAt(sql, from, to) : undefined;
  const paths = columns ?? (single && [single.path]);
  if (paths === undefined) {
    return [];
  }
  const after = rowEnd === undefined ? single!.end : rowEnd + 1;
  const operator = tokens[after];
  let tuples: readonly (readonly SqlValue[])[] | undefined;
  if (operator?.kind === 'operator' && operator.text === '=') {
    const tuple = tupleAt(sql, after + 1, to, paths.length, single !== undefined);
    tuples = tuple && [tuple];
  } else if (operator?.kind === 'word' && operator.text === 'in' && tokens[after + 1]?.kind === '(') {
    const end = close[after + 1]!;
    tuples = end === to - 1 ? tuplesIn(sql, after + 2, end, paths.length, single !== undefined) : undefined;
  }
  // A comparison with null is true of no row.
  const real = tuples?.filter(tuple => !tuple.some(value => 'literal' in value && value.type === 'null'));
  if (real === undefined || real.length === 0) {
    return [];
  }
  return paths.map((path, index) => ({ path, values: real.map(tuple => tuple[index]!) }));
}

function tuplesIn(sql: Nested, from: number, to: number, size: number, bare: boolean): SqlValue[][] | undefined {
  const tuples: SqlValue[][] = [];
  for (const part of splitAtCommas(sql, from, to)) {
    const tuple = tupleAt(sql, part.from, part.to, size, bare);
    if (tuple === undefined) {
      return undefined;
    }
    tuples.push(tuple);
  }
  return tuples;
}

/** @param bare whether it is one value without parentheses */
function tupleAt(sql: Nested, from: number, to: number, size: number, bare: boolean): SqlValue[] | undefined {
  if (bare) {
    const value = plainValue(sql, from, to);
    return value && [value];
  }
  const { tokens, close } = sql;
  const open = tokens[from]?.kind === 'word' && tokens[from].text === 'row' ? from + 1 : from;
  if (tokens[open]?.kind !== '(' || close[open] !== to - 1) {
    return undefined;
  }
  const values = plainValues(sql, open + 1, to - 1);
  return values.length === size && values.every(value => value !== undefined) ? values : undefined;
}

/** The values between commas; `undefined` for each that is not plain. */
export function plainValues(sql: Nested, from: number, to: number): (SqlValue | undefined)[] {
  return splitAtCommas(sql, from, to).map(part => plainValue(sql, part.from, part.to));
}

/** What stands between the commas outside of parentheses. */
export function splitAtCommas({ tokens, close }: Nested, from: number, to: number): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  let start = from;
  for (let at = from; at < to; at++) {
    const { kind } = tokens[at]!;
    if (kind === '(' || kind === '[') {
      at = close[at]!;
    } else if (kind === ',') {
      parts.push({ from: start, to: at });
      start = at + 1;
    }
  }
  if (to > from) {
    parts.push({ from: start, to });
  }
  return parts;
}

/** The value that the tokens are, if it can be told: a literal or a placeholder, in parentheses or cast as it may be. */
export function plainValue({ tokens, close }: Nested, from: number, to: number): SqlValue | undefined {
  while (tokens[from]?.kind === '(' && close[from] === to - 1) {
    from++;
    to--;
  }
  let at = from;
  const first = tokens[at];
  if (first === undefined || at >= to) {
    return undefined;
  }
  let value: SqlValue | undefined;
  switch (first.kind) {
    case 'parameter':
      value = { parameter: Number(first.text) };
      break;
    case 'string':
      value = { literal: first.text, type: 'string' };
      break;
    case 'number':
      value = numberOf(first.text);
      break;
    case 'operator':
      if (first.text === '-' && at + 1 < to && tokens[at + 1]!.kind === 'number') {
        const number = numberOf(`-${tokens[at + 1]!.text}`);
        // `-5::int` is `-(5::int)`, the same.
        value = number;
        at++;
      }
      break;
    case 'word':
      if (first.text === 'true' || first.text === 'false') {
        value = { literal: first.text, type: 'boolean' };
      } else if (first.text === 'null') {
        value = { literal: 'null', type: 'null' };
      }
      break;
    default:
  }
  at++;
  if (value === undefined || at === to) {
    return value;
  }
  return isPlainCast(tokens, at, to, value) ? value : undefined;
}

/**
 * Whether `::type` follows to the end, of a type that leaves the text of the value what it is: the column may be one of text,
 * where `'0005'::int` is written as `5`, `'TRUE'::bool` as `true` and a uuid in lower case.
 */
function isPlainCast(tokens: readonly Token[], from: number, to: number, value: SqlValue): boolean {
  const [cast, type, more] = [tokens[from], tokens[from + 1], tokens[from + 2]];
  if (cast?.kind !== 'operator' || cast.text !== '::' || type?.kind !== 'word') {
    return false;
  }
  // `5.7::varchar` is the text of a number, which is the same number for no column that can be told apart.
  if ('literal' in value && value.type === 'number' && value.literal.includes('.')) {
    return false;
  }
  if (from + 2 === to) {
    return TEXT_CASTS.has(type.text) || (INTEGER_CASTS.has(type.text) && isInteger(value));
  }
  return from + 3 === to && type.text === 'character' && more?.kind === 'word' && more.text === 'varying';
}

const TEXT_CASTS: ReadonlySet<string> = new Set(['text', 'varchar']);
const INTEGER_CASTS: ReadonlySet<string> = new Set(['int', 'int2', 'int4', 'int8', 'integer', 'smallint', 'bigint']);

/** Whether it is an integer as PostgreSQL writes it. What a placeholder stands for is not known yet. */
function isInteger(value: SqlValue): boolean {
  return (
    'literal' in value &&
    (value.type === 'string' || value.type === 'number') &&
    /^(?:0|-?[1-9]\d*)$/.test(value.literal)
  );
}

/** Numbers in the way everybody writes them: others, such as `1e3` and `007`, are the same as those. */
function numberOf(text: string): SqlValue | undefined {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) && text !== '-0' ? { literal: text, type: 'number' } : undefined;
}

function columnsOf(sql: Nested, from: number, to: number): string[][] | undefined {
  const columns: string[][] = [];
  for (const part of splitAtCommas(sql, from, to)) {
    const column = columnAt(sql, part.from, part.to);
    if (column === undefined || column.end !== part.to) {
      return undefined;
    }
    columns.push(column.path);
  }
  return columns.length === 0 ? undefined : columns;
}

/** Whether a word without quotes may be taken for a column. */
function mayBeColumn(word: string): boolean {
  return !CONSTANTS.has(word) && !MOVING.has(word) && !NO_CALL.has(word) && !CLAUSES.has(word) && !MISPLACED.has(word);
}

const CONSTANTS = new Set(['true', 'false', 'null']);

function columnAt({ tokens }: Nested, from: number, to: number): { path: string[]; end: number } | undefined {
  const path: string[] = [];
  let at = from;
  for (;;) {
    const token = tokens[at];
    if (at >= to || token === undefined) {
      return undefined;
    }
    if (token.kind !== 'name' && token.kind !== 'label' && (token.kind !== 'word' || !mayBeColumn(token.text))) {
      return undefined;
    }
    path.push(token.text);
    at++;
    if (at >= to || tokens[at]!.kind !== '.') {
      return path.length <= 3 ? { path, end: at } : undefined;
    }
    at++;
  }
}
