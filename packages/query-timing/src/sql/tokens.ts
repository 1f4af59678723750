import * as c from './characters.ts';
import { Lexer, wordEnd } from './lexer.ts';

/** A piece of a statement. */
export interface Token {
  readonly kind:
    | 'word'
    /** In quotes, or `??`. */
    | 'name'
    | 'value'
    | 'operator'
    /** Parenthesis, bracket, comma, point, semicolon, `::`. */
    | 'mark';
  /** Words in lower case, names without quotes, nothing of values. */
  readonly text: string;
  /** Of a placeholder the index of its parameter, else -1. */
  readonly parameter: number;
  /** The parenthesis or bracket that it stands in, or that it closes, by index; -1: in none. */
  readonly open: number;
  /** How many commas stand before it there. */
  readonly item: number;
}

/** Nobody asks for what is further back. */
const MOST_TOKENS = 20_000;
const LONGEST_NAME = 128;

/** The text of a word, an operator or a mark; `''` of all else, and where there is nothing. */
export function signAt(tokens: readonly Token[], index: number): string {
  const token = tokens[index];
  return token === undefined || token.kind === 'name' || token.kind === 'value' ? '' : token.text;
}

/**
 * The pieces of a statement, at most 20 000 of them.
 *
 * Parameters are counted as MikroORM puts them in: each `?` counts, in strings, names and comments too, each `??`, and no `\?`.
 * Where there is a `$1`, that is a placeholder, and `?` an operator.
 */
export function readTokens(sql: string): readonly Token[] {
  const lexer = new Lexer(sql);
  const marks = new QuestionMarks(sql);
  const tokens: Token[] = [];
  const enclosures = [{ open: -1, commas: 0 }];
  let numbered = false;
  for (lexer.skipBlank(); lexer.at < sql.length && tokens.length < MOST_TOKENS; lexer.skipBlank()) {
    const at = lexer.at;
    const code = sql.charCodeAt(at);
    const { kind, text, parameter } = readToken(lexer, marks, code);
    numbered ||= kind === 'value' && code === c.DOLLAR && parameter !== -1;
    const enclosure = enclosures.at(-1)!;
    tokens.push({ kind, text, parameter, open: enclosure.open, item: enclosure.commas });
    if (code === c.COMMA) {
      enclosure.commas++;
    } else if (code === c.OPEN || code === c.OPEN_BRACKET) {
      enclosures.push({ open: tokens.length - 1, commas: 0 });
    } else if ((code === c.CLOSE || code === c.CLOSE_BRACKET) && enclosures.length > 1) {
      enclosures.pop();
    }
  }
  return numbered ? tokens.map(withoutQuestionMark) : tokens;
}

function readToken(lexer: Lexer, marks: QuestionMarks, code: number): Pick<Token, 'kind' | 'text' | 'parameter'> {
  const { sql, at } = lexer;
  if (lexer.skipValue()) {
    if (code === c.QUESTION) {
      return { kind: 'value', text: '?', parameter: marks.parameterAt(at) };
    }
    const number = code === c.DOLLAR ? /^\$(\d{1,5})$/.exec(sql.slice(at, Math.min(lexer.at, at + 7))) : null;
    return { kind: 'value', text: '', parameter: number === null ? -1 : Number(number[1]) - 1 };
  }
  const next = c.codeAt(sql, at + 1);
  const kind = c.classOf(code);
  if (code === c.DOUBLE_QUOTE) {
    lexer.at = lexer.quotedEnd(at + 1, '"');
    const name = sql.slice(at + 1, Math.min(lexer.at - 1, at + LONGEST_NAME)).replaceAll('""', '"');
    return { kind: 'name', text: name, parameter: -1 };
  }
  if (kind === c.LETTER) {
    lexer.at = wordEnd(sql, at);
    return { kind: 'word', text: sql.slice(at, Math.min(lexer.at, at + LONGEST_NAME)).toLowerCase(), parameter: -1 };
  }
  if (code === c.QUESTION && next === c.QUESTION) {
    lexer.at = at + 2;
    return { kind: 'name', text: '', parameter: -1 };
  }
  const operator = lexer.operatorEnd();
  if (operator > at) {
    lexer.at = operator;
    return { kind: 'operator', text: sql.slice(at, Math.min(operator, at + LONGEST_NAME)), parameter: -1 };
  }
  lexer.at = code === c.COLON && next === c.COLON ? at + 2 : at + 1;
  return { kind: 'mark', text: sql.slice(at, lexer.at), parameter: -1 };
}

function withoutQuestionMark(token: Token): Token {
  return token.text === '?' && token.kind === 'value' ? { ...token, kind: 'operator', parameter: -1 } : token;
}

/** Counts the question marks for which MikroORM puts in a parameter. */
class QuestionMarks {
  readonly #sql: string;
  #at = 0;
  #count = 0;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** The index of the parameter for which the one there stands. They are asked for in the order of the text. */
  parameterAt(at: number): number {
    for (;;) {
      const mark = this.#sql.indexOf('?', this.#at);
      if (mark === -1 || mark >= at) {
        return this.#count;
      }
      this.#at = mark + 1;
      if (this.#sql[mark - 1] !== '\\') {
        this.#count++;
        this.#at += this.#sql[mark + 1] === '?' ? 1 : 0;
      }
    }
  }
}
