/** What a piece of SQL is. Punctuation is its own kind. */
export type TokenKind =
  /** A keyword or a name without quotes; its text is in lower case. */
  | 'word'
  /** A word that cannot be a keyword, as it stands behind a `.` or behind `as`. */
  | 'label'
  /** A name in quotes; its text is what stands between them. */
  | 'name'
  /** A name that cannot be told: `??` of MikroORM, `U&"…"`. */
  | 'blank'
  /** A literal, its text being its value. */
  | 'string'
  /** A literal whose value is left unread: escapes, bits, pieces on several lines, placeholders inside. */
  | 'odd'
  | 'number'
  /** `?` or `$n`; the text is its index, from 0. */
  | 'parameter'
  | 'operator'
  /** What PostgreSQL would reject: what does not end, stray characters. */
  | 'broken'
  | '('
  | ')'
  | '['
  | ']'
  | ','
  | ';'
  | '.';

/** A piece of SQL between white space and comments. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it starts in the SQL. */
  readonly start: number;
  /** Where it ends, exclusive. */
  readonly end: number;
}

/** The pieces of an SQL text. */
export interface Tokens {
  readonly list: readonly Token[];
  /**
   * Placeholders cannot be told: MikroORM replaces each `?`, also those within quotes and comments, so a text with both
   * is another one by the time it is sent.
   */
  readonly doubtful: boolean;
}

const SPACE = 1;
const WORD_START = 2;
const DIGIT = 4;
const OPERATOR = 8;
const PUNCTUATION = 16;
const WORD = WORD_START | DIGIT | 32;

/** What each ASCII character may be part of; all others are letters to PostgreSQL. */
const CLASSES = new Uint8Array(128);
for (const char of ' \t\n\r\f\v') {
  CLASSES[char.charCodeAt(0)] = SPACE;
}
for (const char of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_') {
  CLASSES[char.charCodeAt(0)] = WORD_START;
}
for (const char of '0123456789') {
  CLASSES[char.charCodeAt(0)] = DIGIT;
}
for (const char of '~!@#^&|`+-*/%<>=') {
  CLASSES[char.charCodeAt(0)] = OPERATOR;
}
for (const char of '()[],;.') {
  CLASSES[char.charCodeAt(0)] = PUNCTUATION;
}
CLASSES['$'.charCodeAt(0)] = 32;

function classOf(code: number): number {
  return code < 128 ? CLASSES[code]! : WORD_START;
}

const QUOTE = 39;
const DOUBLE_QUOTE = 34;
const BACKSLASH = 92;
const DOLLAR = 36;
const QUESTION = 63;
const DASH = 45;
const PLUS = 43;
const SLASH = 47;
const STAR = 42;
const DOT = 46;
const COLON = 58;
const EQUALS = 61;

const NUMBER =
  /0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*(?:\.(?!\.)(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?/y;
const DOLLAR_TAG = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy;

/**
 * Cuts SQL into its tokens by PostgreSQL's lexical rules (docs, 4.1), in one pass. `standard_conforming_strings` is taken
 * to be on, as it is by default: MikroORM writes `E'…'` where there is a backslash.
 *
 * A `?` is MikroORM's placeholder, `\?` the operator. In a text whose values are in place, where `?` is the operator
 * itself, the tokens are others but end at the same places, and no `=` stands before it.
 */
export function tokenize(sql: string): Tokens {
  const list: Token[] = [];
  const length = sql.length;
  let question = sql.indexOf('?');
  let parameters = 0;
  let hidden = false;
  let at = 0;

  const push = (kind: TokenKind, text: string, end: number): void => {
    list.push({ kind, text, start: at, end });
    at = end;
  };
  const broken = (end: number): void => push('broken', '', end);
  const hides = (from: number, to: number): void => {
    while (question !== -1 && question < to) {
      hidden ||= question > from && sql.charCodeAt(question - 1) !== BACKSLASH;
      question = sql.indexOf('?', question + 1);
    }
  };
  /** @param open where its quote is */
  const literal = (open: number, escapes: boolean, odd: boolean): void => {
    let end = endOfLiteral(sql, open, escapes);
    let plain = !odd;
    for (let next = end; end !== -1 && next !== -1;) {
      next = continuation(sql, end);
      if (next !== -1) {
        plain = false;
        end = endOfLiteral(sql, next, escapes);
      }
    }
    if (end === -1) {
      broken(length);
      return;
    }
    hides(at, end);
    const value = plain ? valueOf(sql.slice(open + 1, end - 1), escapes) : undefined;
    push(value === undefined ? 'odd' : 'string', value ?? '', end);
  };

  while (at < length) {
    const code = sql.charCodeAt(at);
    const kind = classOf(code);
    if (kind === SPACE) {
      at++;
    } else if (kind === WORD_START) {
      if (sql.charCodeAt(at + 1) === QUOTE) {
        const lower = code | 32;
        // e b x n
        if (lower === 101 || lower === 98 || lower === 120 || lower === 110) {
          literal(at + 1, lower === 101, lower !== 101 && lower !== 110);
          continue;
        }
      } else if ((code | 32) === 117 && sql.charCodeAt(at + 1) === 38) {
        const quote = sql.charCodeAt(at + 2);
        if (quote === QUOTE) {
          literal(at + 2, false, true);
          continue;
        }
        if (quote === DOUBLE_QUOTE) {
          const end = endOfQuoted(sql, at + 2, '"');
          hides(at, end);
          push(end === -1 ? 'broken' : 'blank', '', end === -1 ? length : end);
          continue;
        }
      }
      let end = at + 1;
      let wide = code >= 128;
      for (; end < length; end++) {
        const next = sql.charCodeAt(end);
        if ((classOf(next) & WORD) === 0) {
          break;
        }
        wide ||= next >= 128;
      }
      const raw = sql.slice(at, end);
      // PostgreSQL folds ASCII alone in a database of UTF-8.
      const text = wide ? raw.replaceAll(/[A-Z]+/g, part => part.toLowerCase()) : raw.toLowerCase();
      const before = list.at(-1);
      const label =
        before !== undefined &&
        (before.kind === '.' ||
          (before.kind === 'word' && before.text === 'as' && text !== 'materialized' && text !== 'not'));
      push(label ? 'label' : 'word', text.length > 20 ? truncated(text) : text, end);
    } else if (code === DOUBLE_QUOTE) {
      const end = endOfQuoted(sql, at, '"');
      if (end === -1) {
        broken(length);
      } else {
        hides(at, end);
        const raw = sql.slice(at + 1, end - 1);
        const text = raw.includes('"') ? raw.replaceAll('""', '"') : raw;
        push(text.includes('?') ? 'blank' : 'name', text.length > 20 ? truncated(text) : text, end);
      }
    } else if (kind === DIGIT || (code === DOT && classOf(sql.charCodeAt(at + 1)) === DIGIT)) {
      NUMBER.lastIndex = at;
      NUMBER.test(sql);
      const end = NUMBER.lastIndex;
      push('number', sql.slice(at, end), end);
    } else if (code === QUOTE) {
      literal(at, false, false);
    } else if (code === DASH && sql.charCodeAt(at + 1) === DASH) {
      const from = at;
      at = endOfLine(sql, at);
      hides(from, at);
    } else if (code === SLASH && sql.charCodeAt(at + 1) === STAR) {
      const end = endOfComment(sql, at);
      if (end === -1) {
        broken(length);
      } else {
        hides(at, end);
        at = end;
      }
    } else if (kind === PUNCTUATION) {
      if (code === DOT && sql.charCodeAt(at + 1) === DOT) {
        push('operator', '..', at + 2);
      } else {
        const text = sql[at] as '(' | ')' | '[' | ']' | ',' | ';' | '.';
        push(text, text, at + 1);
      }
    } else if (kind === OPERATOR) {
      const end = endOfOperator(sql, at);
      // PostgreSQL refuses those that are longer than a name.
      push(end - at > 63 ? 'broken' : 'operator', sql.slice(at, end), end);
    } else if (code === QUESTION) {
      // As Platform.formatQuery() reads them.
      if (sql.charCodeAt(at + 1) === QUESTION) {
        parameters++;
        push('blank', '??', at + 2);
      } else {
        push('parameter', String(parameters++), at + 1);
      }
    } else if (code === BACKSLASH && sql.charCodeAt(at + 1) === QUESTION) {
      push('operator', '?', sql.charCodeAt(at + 2) === QUESTION ? at + 3 : at + 2);
    } else if (code === COLON) {
      const next = sql.charCodeAt(at + 1);
      const end = next === COLON || next === EQUALS ? at + 2 : at + 1;
      push('operator', sql.slice(at, end), end);
    } else if (code === DOLLAR) {
      if (classOf(sql.charCodeAt(at + 1)) === DIGIT) {
        let end = at + 2;
        while (classOf(sql.charCodeAt(end)) === DIGIT) {
          end++;
        }
        push('parameter', String(Number(sql.slice(at + 1, end)) - 1), end);
        continue;
      }
      DOLLAR_TAG.lastIndex = at;
      const tag = DOLLAR_TAG.exec(sql)?.[0];
      const close = tag === undefined ? -1 : sql.indexOf(tag, at + tag.length);
      if (tag === undefined) {
        broken(at + 1);
      } else if (close === -1) {
        broken(length);
      } else {
        const end = close + tag.length;
        hides(at, end);
        const text = sql.slice(at + tag.length, close);
        push(text.includes('?') ? 'odd' : 'string', text, end);
      }
    } else {
      broken(at + 1);
    }
  }
  return { list, doubtful: hidden && parameters > 0 };
}

/** Where what begins with a quote ends; -1 if it does not. A doubled quote is part of it. */
function endOfQuoted(sql: string, open: number, quote: string): number {
  let at = open + 1;
  for (;;) {
    const close = sql.indexOf(quote, at);
    if (close === -1) {
      return -1;
    }
    if (sql[close + 1] !== quote) {
      return close + 1;
    }
    at = close + 2;
  }
}

function endOfLiteral(sql: string, open: number, escapes: boolean): number {
  if (!escapes) {
    return endOfQuoted(sql, open, "'");
  }
  for (let at = open + 1; at < sql.length; at++) {
    const code = sql.charCodeAt(at);
    if (code === BACKSLASH) {
      at++;
    } else if (code === QUOTE) {
      if (sql.charCodeAt(at + 1) !== QUOTE) {
        return at + 1;
      }
      at++;
    }
  }
  return -1;
}

/**
 * Where the quote of a literal's next piece is: it goes on in another line if nothing but white space, with a line break
 * in it, and comments to the end of a line are between. -1 if it does not.
 */
function continuation(sql: string, end: number): number {
  let broke = false;
  for (let at = end; at < sql.length; at++) {
    const code = sql.charCodeAt(at);
    if (code === DASH && sql.charCodeAt(at + 1) === DASH) {
      at = endOfLine(sql, at) - 1;
    } else if (code === 10 || code === 13) {
      broke = true;
    } else if (classOf(code) !== SPACE) {
      return broke && code === QUOTE ? at : -1;
    }
  }
  return -1;
}

/** The value of a literal; `undefined` where it takes more than undoubling, or where MikroORM would put values in it. */
function valueOf(raw: string, escapes: boolean): string | undefined {
  if (raw.includes('?')) {
    return undefined;
  }
  if (escapes && raw.includes('\\')) {
    if (/\\[^\\']/.test(raw.replaceAll(/\\\\|\\'/g, ''))) {
      return undefined;
    }
    return raw.replaceAll(/\\(.)|''/gs, (_all, escaped: string | undefined) => escaped ?? "'");
  }
  return raw.includes("'") ? raw.replaceAll("''", "'") : raw;
}

function endOfLine(sql: string, start: number): number {
  for (let at = start; at < sql.length; at++) {
    const code = sql.charCodeAt(at);
    if (code === 10 || code === 13) {
      return at;
    }
  }
  return sql.length;
}

/** Comments nest in PostgreSQL. */
function endOfComment(sql: string, start: number): number {
  let depth = 1;
  for (let at = start + 2; at < sql.length; at++) {
    const code = sql.charCodeAt(at);
    if (code === STAR && sql.charCodeAt(at + 1) === SLASH) {
      at++;
      if (--depth === 0) {
        return at + 1;
      }
    } else if (code === SLASH && sql.charCodeAt(at + 1) === STAR) {
      at++;
      depth++;
    }
  }
  return -1;
}

/** An operator ends before a comment; one of several characters ends in `+` or `-` only if it has one of `~!@#%^&|` and the like. */
function endOfOperator(sql: string, start: number): number {
  let end = start + 1;
  for (; end < sql.length; end++) {
    const code = sql.charCodeAt(end);
    if (
      classOf(code) !== OPERATOR ||
      (code === DASH && sql.charCodeAt(end + 1) === DASH) ||
      (code === SLASH && sql.charCodeAt(end + 1) === STAR)
    ) {
      break;
    }
  }
  if (end - start > 63) {
    return end;
  }
  if (end - start > 1 && isSign(sql.charCodeAt(end - 1)) && !/[~!@#%^&|`]/.test(sql.slice(start, end))) {
    while (end - start > 1 && isSign(sql.charCodeAt(end - 1))) {
      end--;
    }
  }
  return end;
}

function isSign(code: number): boolean {
  return code === DASH || code === PLUS;
}

/** Names have at most 63 bytes; the rest is cut off, so that two spellings may be one name. */
function truncated(name: string): string {
  if (name.length * 3 <= 63 || Buffer.byteLength(name) <= 63) {
    return name;
  }
  const bytes = Buffer.from(name);
  let end = 63;
  while ((bytes[end]! & 0xc0) === 0x80) {
    end--;
  }
  return bytes.toString('utf8', 0, end);
}
