import {
  AMPERSAND,
  BACKSLASH,
  BAR,
  charCodeAt,
  classOf,
  codeAt,
  COLON,
  DOLLAR,
  DOT,
  isInWord,
  LETTER,
  MINUS,
  PLUS,
  QUESTION,
  QUOTE,
  SIGN,
  SLASH,
  SPACE,
  STAR,
} from './characters.ts';

const LINE_FEED = 10;
const RETURN = 13;
const ZERO = 48;
const LETTER_B = 98;
const LETTER_E = 101;
const LETTER_N = 110;
const LETTER_U = 117;
const LETTER_X = 120;

/**
 * Finds where the pieces of a statement end, by PostgreSQL's lexical rules (documentation, 4.1) and MikroORM's marks: `?` is
 * a value, `??` a name, `\?` an operator. `standard_conforming_strings` is taken to be on, as it is by default.
 *
 * Each character is looked at a bounded number of times, whatever the text: what does not end takes the rest of it.
 */
export class Lexer {
  readonly sql: string;
  /** What is looked at next. */
  at = 0;
  /** Whether there was a comment. */
  commented = false;
  /** Whether something did not end. */
  broken = false;

  constructor(sql: string) {
    this.sql = sql;
  }

  /** Skips white space and comments, which nest. */
  skipBlank(): void {
    const { sql } = this;
    let { at } = this;
    for (;;) {
      const code = codeAt(sql, at);
      if (classOf(code) === SPACE) {
        at++;
      } else if (code === MINUS && codeAt(sql, at + 1) === MINUS) {
        this.commented = true;
        at = lineEnd(sql, at + 2);
      } else if (code === SLASH && codeAt(sql, at + 1) === STAR) {
        this.commented = true;
        at = this.#commentEnd(at + 2);
      } else {
        this.at = at;
        return;
      }
    }
  }

  /** Whether what comes next is a number: then a minus before it may be its sign. */
  beginsNumber(): boolean {
    const code = codeAt(this.sql, this.at);
    return isDigit(code === DOT ? codeAt(this.sql, this.at + 1) : code);
  }

  /**
   * Skips a value: a string of any kind, a number, `?`, `$1`, `:name`.
   * @returns whether there was one
   */
  skipValue(): boolean {
    const { sql, at } = this;
    const code = codeAt(sql, at);
    if (isDigit(code)) {
      this.at = numberEnd(sql, at);
      return true;
    }
    const next = codeAt(sql, at + 1);
    switch (code) {
      case QUOTE:
        this.at = this.quotedEnd(at + 1, "'");
        return true;
      case DOLLAR:
        this.at = isDigit(next) ? wordEnd(sql, at + 1) : this.#dollarEnd(at);
        return this.at > at;
      case QUESTION:
        if (next === QUESTION || next === AMPERSAND || (next === BAR && codeAt(sql, at + 2) !== BAR)) {
          return false;
        }
        this.at = at + 1;
        return true;
      case COLON:
        if (classOf(next) !== LETTER) {
          return false;
        }
        this.at = wordEnd(sql, at + 1);
        return true;
      case DOT:
        if (!isDigit(next)) {
          return false;
        }
        this.at = numberEnd(sql, at);
        return true;
      default:
        return this.#skipPrefixedString(code, next);
    }
  }

  /** Skips a string of a kind that a letter tells: `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`. @returns whether there was one */
  #skipPrefixedString(code: number, next: number): boolean {
    const letter = code | 32;
    if (next === QUOTE && (letter === LETTER_E || letter === LETTER_B || letter === LETTER_X || letter === LETTER_N)) {
      this.at = letter === LETTER_E ? this.#escapedEnd(this.at + 2) : this.quotedEnd(this.at + 2, "'");
      return true;
    }
    if (next === AMPERSAND && letter === LETTER_U && codeAt(this.sql, this.at + 2) === QUOTE) {
      this.at = this.quotedEnd(this.at + 3, "'");
      return true;
    }
    return false;
  }

  /** @param from behind the opening quote @returns behind the closing one; one that is doubled is part of what it encloses */
  quotedEnd(from: number, quote: string): number {
    const { sql } = this;
    let at = from;
    for (;;) {
      at = sql.indexOf(quote, at) + 1;
      if (at === 0) {
        this.broken = true;
        return sql.length;
      }
      if (sql[at] !== quote) {
        return at;
      }
      at++;
    }
  }

  /** As `quotedEnd()`, of a string in which a backslash protects what is behind it. */
  #escapedEnd(from: number): number {
    const { sql } = this;
    for (let at = from; at < sql.length; at++) {
      const code = codeAt(sql, at);
      if (code === BACKSLASH) {
        at++;
      } else if (code === QUOTE) {
        if (codeAt(sql, at + 1) !== QUOTE) {
          return at + 1;
        }
        at++;
      }
    }
    this.broken = true;
    return sql.length;
  }

  /** Behind a string in dollars, or `from` if none begins there. */
  #dollarEnd(from: number): number {
    const { sql } = this;
    let at = from + 1;
    if (classOf(codeAt(sql, at)) === LETTER) {
      for (at++; codeAt(sql, at) !== DOLLAR && isInWord(codeAt(sql, at));) {
        at++;
      }
    }
    if (codeAt(sql, at) !== DOLLAR) {
      return from;
    }
    const tag = sql.slice(from, at + 1);
    const end = sql.indexOf(tag, at + 1);
    if (end === -1) {
      this.broken = true;
      return sql.length;
    }
    return end + tag.length;
  }

  /** @param from behind the opening mark */
  #commentEnd(from: number): number {
    const { sql } = this;
    let at = from;
    for (let depth = 1; depth > 0;) {
      if (at >= sql.length) {
        this.broken = true;
        return sql.length;
      }
      const code = charCodeAt(sql, at++);
      if (code === STAR && codeAt(sql, at) === SLASH) {
        depth--;
        at++;
      } else if (code === SLASH && codeAt(sql, at) === STAR) {
        depth++;
        at++;
      }
    }
    return at;
  }

  /** Where an operator ends that begins here. One of several signs ends with `+` or `-` only if it has a rare sign, too. */
  operatorEnd(): number {
    const { sql } = this;
    let end = this.at;
    let rare = false;
    for (; end < sql.length; end++) {
      const code = codeAt(sql, end);
      const next = codeAt(sql, end + 1);
      if (code === BACKSLASH && next === QUESTION) {
        end++;
        rare = true;
      } else if (code === QUESTION && end === this.at) {
        rare = true;
      } else if (classOf(code) !== SIGN || (code === MINUS && next === MINUS) || (code === SLASH && next === STAR)) {
        break;
      } else {
        rare ||= !isPlainSign(code);
      }
    }
    while (!rare && end > this.at + 1 && isPlusOrMinus(codeAt(sql, end - 1))) {
      end--;
    }
    return end;
  }
}

/** Behind the characters that a word goes on with. */
export function wordEnd(sql: string, from: number): number {
  let at = from;
  while (isInWord(codeAt(sql, at))) {
    at++;
  }
  return at;
}

/** Behind a number; what stands at its end without a space belongs to it, as nothing else can. */
function numberEnd(sql: string, from: number): number {
  let at = wordEnd(sql, from);
  // `0x1e` has no exponent.
  const decimal = codeAt(sql, from) !== ZERO || at < from + 2 || isDigit(codeAt(sql, from + 1));
  for (;;) {
    const code = codeAt(sql, at);
    const exponent =
      decimal && isPlusOrMinus(code) && (codeAt(sql, at - 1) | 32) === LETTER_E && isDigit(codeAt(sql, at + 1));
    if (!exponent && code !== DOT) {
      return at;
    }
    at = wordEnd(sql, at + 1);
  }
}

/** Where a line ends, or the text. */
function lineEnd(sql: string, from: number): number {
  let at = from;
  while (at < sql.length && charCodeAt(sql, at) !== LINE_FEED && charCodeAt(sql, at) !== RETURN) {
    at++;
  }
  return at;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isPlusOrMinus(code: number): boolean {
  return code === PLUS || code === MINUS;
}

/** The signs of which an operator of several may end with `+` or `-`: none of `~ ! @ # % ^ & | \`` and `?`. */
function isPlainSign(code: number): boolean {
  return isPlusOrMinus(code) || code === STAR || code === SLASH || (code >= 60 && code <= 62);
}
