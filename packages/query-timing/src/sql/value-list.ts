import {
  classOf,
  CLOSE,
  CLOSE_BRACKET,
  codeAt,
  COLON,
  COMMA,
  DIGIT,
  DOLLAR,
  DOT,
  DOUBLE_QUOTE,
  MINUS,
  OPEN,
  OPEN_BRACKET,
  QUESTION,
} from './characters.ts';
import { type Lexer, wordEnd } from './lexer.ts';

/** A list of nothing but values. */
export interface ValueList {
  /** Whether there is more than one: values, lists, or values of the one array in it. */
  readonly several: boolean;
  /** Whether they are lists themselves: `((1, 2), (3, 4))`. */
  readonly nested: boolean;
}

/** Lists within lists that are looked at: a bound to how often a text is read. */
const DEEPEST = 3;
const LONGEST_WORD = 'default'.length;
const SPACE = 32;
const NOWHERE = -1;

/**
 * Reads a list of nothing but values, `(1, $2, null)` or `[1, 2]`, with signs, casts, arrays, and lists of the like within it.
 * Names, calls and queries are no values; `default` is one.
 * @param lexer is at the opening parenthesis or bracket; it moves behind the closing one, or stays if it is something else
 */
export function readValueList(lexer: Lexer, depth = 1): ValueList | undefined {
  const { sql, at: start } = lexer;
  const close = codeAt(sql, start) === OPEN ? CLOSE : CLOSE_BRACKET;
  let nested = false;
  let several = false;
  for (let first = true; ; first = false) {
    lexer.at += codeAt(sql, lexer.at + 1) === SPACE ? 2 : 1;
    const plain = plainEnd(sql, lexer.at, close);
    if (plain !== NOWHERE && (first || !nested)) {
      lexer.at = plain;
      several ||= !first;
    } else {
      lexer.skipBlank();
      const code = codeAt(sql, lexer.at);
      const isList = code === OPEN || code === OPEN_BRACKET;
      const value = isList ? depth < DEEPEST && readValueList(lexer, depth + 1) !== undefined : skipItem(lexer, depth);
      if (!value || (!first && isList !== nested)) {
        break;
      }
      nested = isList;
      several ||= !first || value === 'array';
      lexer.skipBlank();
      if (codeAt(sql, lexer.at) === COLON) {
        skipCasts(lexer);
      }
    }
    const end = codeAt(sql, lexer.at);
    if (end === close) {
      lexer.at++;
      return { several, nested };
    }
    if (end !== COMMA) {
      break;
    }
  }
  lexer.at = start;
  return undefined;
}

/** Behind the usual value, `?`, `$1` or `12`, that stands directly before a comma or the end; else nowhere. */
function plainEnd(sql: string, at: number, close: number): number {
  const code = codeAt(sql, at);
  let end = code === QUESTION || code === DOLLAR ? at + 1 : at;
  if (code !== QUESTION) {
    while (classOf(codeAt(sql, end)) === DIGIT) {
      end++;
    }
  }
  const next = codeAt(sql, end);
  const isValue = code === DOLLAR ? end > at + 1 : end > at;
  return isValue && (next === COMMA || next === close) ? end : NOWHERE;
}

/** @returns whether there was a value; 'array' if it is an array of several */
function skipItem(lexer: Lexer, depth: number): boolean | 'array' {
  const { sql } = lexer;
  const code = codeAt(sql, lexer.at);
  if (code === MINUS) {
    lexer.at++;
    lexer.skipBlank();
    return lexer.beginsNumber() && lexer.skipValue();
  }
  if (lexer.skipValue()) {
    return true;
  }
  const end = wordEnd(sql, lexer.at);
  if (end === lexer.at || end > lexer.at + LONGEST_WORD) {
    return false;
  }
  switch (sql.slice(lexer.at, end).toLowerCase()) {
    case 'null':
    case 'true':
    case 'false':
    case 'default':
      lexer.at = end;
      return true;
    case 'array': {
      lexer.at = end;
      lexer.skipBlank();
      const list =
        codeAt(sql, lexer.at) === OPEN_BRACKET && depth < DEEPEST ? readValueList(lexer, depth + 1) : undefined;
      return list?.several ? 'array' : list !== undefined;
    }
    default:
      return false;
  }
}

/** `::uuid`, `::"my"."type"`, `::numeric(10, 2)[]`, and white space behind it. */
function skipCasts(lexer: Lexer): void {
  const { sql } = lexer;
  while (codeAt(sql, lexer.at) === COLON && codeAt(sql, lexer.at + 1) === COLON) {
    lexer.at += 2;
    lexer.skipBlank();
    skipName(lexer);
    while (codeAt(sql, lexer.at) === DOT) {
      lexer.at++;
      skipName(lexer);
    }
    for (;;) {
      lexer.skipBlank();
      if (codeAt(sql, lexer.at) === OPEN_BRACKET && codeAt(sql, lexer.at + 1) === CLOSE_BRACKET) {
        lexer.at += 2;
      } else if (codeAt(sql, lexer.at) !== OPEN || readValueList(lexer, DEEPEST) === undefined) {
        break;
      }
    }
  }
}

function skipName(lexer: Lexer): void {
  lexer.at =
    codeAt(lexer.sql, lexer.at) === DOUBLE_QUOTE ? lexer.quotedEnd(lexer.at + 1, '"') : wordEnd(lexer.sql, lexer.at);
}
