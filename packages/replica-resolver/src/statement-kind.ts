import { HARMLESS_FUNCTIONS } from './harmless-functions.ts';

/**
 * What a statement is to the resolver.
 * - `read`: cannot have written; `write`: may have; `commit`;
 * - `control`: begins or ends a transaction or a part of it, or sets something of the session.
 */
export type StatementKind = 'read' | 'write' | 'commit' | 'control';

const READS: ReadonlySet<string> = new Set(['select', 'with', 'values', 'table', 'show', 'explain']);
const CONTROLS: ReadonlySet<string> = new Set(
  'begin start commit end rollback abort savepoint release set reset discard listen unlisten deallocate prepare'.split(
    ' ',
  ),
);
/** Words that change data inside of what begins as a read: in a CTE, as `select into`, behind `explain analyze`. */
const WRITES: ReadonlySet<string> = new Set([
  'insert',
  'update',
  'delete',
  'merge',
  'into',
  'create',
  'execute',
  'refresh',
]);
/** Words that may stand before a parenthesis and are never the name of a function: reserved, but for `explain`. */
const GRAMMAR: ReadonlySet<string> = new Set(
  (
    'select from where and or not in any all some exists as on using with values having limit offset distinct between ' +
    'case when then else union intersect except lateral array row cast treat normalize only group order explain'
  ).split(' '),
);
/** What is grammar behind certain words, and might be a function elsewhere. */
const GRAMMAR_AFTER: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['by', new Set(['group', 'order', 'partition'])],
  ['join', new Set(['left', 'right', 'inner', 'full', 'cross', 'outer', 'natural'])],
]);

/**
 * Looks at a statement, from a distance: what cannot be told is taken for a write. A read that is taken for one costs a
 * question for the position; a write that is taken for a read would be missed. Several statements in one text: a write.
 *
 * Trap: what a view, an operator, a cast or a function named as a harmless one does is not in the text.
 */
export function statementKind(text: string): StatementKind {
  let start = skipBlank(text, 0);
  while (text.charCodeAt(start) === OPEN || text.charCodeAt(start) === SEMICOLON) {
    start = skipBlank(text, start + 1);
  }
  const end = wordEnd(text, start);
  const first = text.slice(start, end).toLowerCase();
  if (READS.has(first)) {
    return look(text, start) === 'reads' ? 'read' : 'write';
  }
  if (!CONTROLS.has(first)) {
    return 'write';
  }
  const next = skipBlank(text, end);
  const second = text.slice(next, wordEnd(text, next)).toLowerCase();
  if (second === 'prepared' || (first === 'prepare' && second === 'transaction') || look(text, end) === 'several') {
    return 'write';
  }
  return first === 'commit' || first === 'end' ? 'commit' : 'control';
}

/**
 * What a text may do to transactions before it fails.
 * - `plain`: one statement, which is done as a whole or not at all; a `commit` is one as well;
 * - `procedure`: one that may commit in between, if it is in no transaction (`call`, `do`);
 * - `several`: any of them may commit.
 */
export type TextShape = 'plain' | 'procedure' | 'several';

/** Which shape a text has. What cannot be told is `several`. */
export function textShape(text: string): TextShape {
  const start = skipBlank(text, 0);
  if (look(text, start) === 'several') {
    return 'several';
  }
  const first = text.slice(start, wordEnd(text, start)).toLowerCase();
  return first === 'call' || first === 'do' ? 'procedure' : 'plain';
}

const QUOTE = 39;
const OPEN = 40;
const CLOSE = 41;
const STAR = 42;
const DASH = 45;
const DOT = 46;
const SLASH = 47;
const SEMICOLON = 59;
const BACKSLASH = 92;
const DOUBLE_QUOTE = 34;
const DOLLAR = 36;

/** Classes of characters: what begins a word, what only goes on with one, white space, and what has a meaning of its own. */
const OTHER = 0;
const LETTER = 1;
const IN_WORD = 2;
const SPACE = 3;
const SPECIAL = 4;
const CLASSES = new Uint8Array(128);
mark(/[a-z_]/i, LETTER);
mark(/[0-9$]/, IN_WORD);
mark(/[ \t\n\r\f\v]/, SPACE);
mark(/['"(;/-]/, SPECIAL);

function mark(chars: RegExp, to: number): void {
  for (let code = 0; code < 128; code++) {
    if (chars.test(String.fromCharCode(code))) {
      CLASSES[code] = to;
    }
  }
}

/** Whatever is not ASCII is part of a word, as PostgreSQL's scanner has it; the end of the text is nothing. */
function classOf(code: number): number {
  return code < 128 ? CLASSES[code]! : code >= 128 ? LETTER : OTHER;
}

/**
 * `reads`: one statement, and nothing in it writes or calls what is not known; `several`: more than one, or a text whose end
 * cannot be told; `doubtful`: all else.
 */
function look(text: string, from: number): 'reads' | 'doubtful' | 'several' {
  let reads = true;
  /** The last word, and the last character that is no white space. */
  let word = '';
  let before = 0;
  for (let at = from; at < text.length;) {
    const code = text.charCodeAt(at);
    const is = classOf(code);
    if (is === LETTER) {
      const end = wordEnd(text, at);
      const last = word;
      word = text.slice(at, end).toLowerCase();
      at = skipBlank(text, end);
      if (WRITES.has(word) || (text.charCodeAt(at) === OPEN && !mayBeBeforeParenthesis(word, before, last))) {
        reads = false;
      }
      before = code;
      continue;
    }
    if (is === SPACE) {
      at++;
      continue;
    }
    if (is === SPECIAL) {
      const next = text.charCodeAt(at + 1);
      if ((code === DASH && next === DASH) || (code === SLASH && next === STAR)) {
        at = skipBlank(text, at);
        continue;
      }
      if (code === SEMICOLON) {
        return isEnd(text, at) ? (reads ? 'reads' : 'doubtful') : 'several';
      }
      if (code === QUOTE || code === DOUBLE_QUOTE) {
        at = quotedEnd(text, at, code);
        if (at === -1) {
          return 'several';
        }
        // The name of a function.
        reads &&= code === QUOTE || text.charCodeAt(skipBlank(text, at)) !== OPEN;
        before = code;
        word = '';
        continue;
      }
    } else if (code === DOLLAR) {
      at = dollarEnd(text, at);
      if (at === -1) {
        return 'several';
      }
      before = code;
      continue;
    }
    before = code;
    at++;
  }
  return reads ? 'reads' : 'doubtful';
}

/** @param before the last character before the word @param last the word before it */
function mayBeBeforeParenthesis(word: string, before: number, last: string): boolean {
  if (before === DOT) {
    return last === 'pg_catalog' && HARMLESS_FUNCTIONS.has(word);
  }
  if (word === 'filter' || word === 'over') {
    return before === CLOSE;
  }
  return GRAMMAR.has(word) || HARMLESS_FUNCTIONS.has(word) || GRAMMAR_AFTER.get(word)?.has(last) === true;
}

function wordEnd(text: string, at: number): number {
  let end = at;
  for (let is = classOf(text.charCodeAt(end)); is === LETTER || is === IN_WORD; is = classOf(text.charCodeAt(end))) {
    end++;
  }
  return end;
}

/** Where something begins that is neither white space nor a comment; these nest. */
function skipBlank(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    const next = text.charCodeAt(at + 1);
    if (classOf(code) === SPACE) {
      at++;
    } else if (code === DASH && next === DASH) {
      for (at += 2; at < text.length && !/[\n\r]/.test(text[at]!);) {
        at++;
      }
    } else if (code === SLASH && next === STAR) {
      at = commentEnd(text, at + 2);
    } else {
      return at;
    }
  }
}

function commentEnd(text: string, from: number): number {
  let at = from;
  for (let depth = 1; depth > 0 && at < text.length;) {
    const code = text.charCodeAt(at);
    const next = text.charCodeAt(at + 1);
    if (code === STAR && next === SLASH) {
      depth--;
      at += 2;
    } else if (code === SLASH && next === STAR) {
      depth++;
      at += 2;
    } else {
      at++;
    }
  }
  return at;
}

/**
 * Behind a string or a name in quotes; `-1`: it is not known where that is. A quote that is doubled begins another one, which
 * comes to the same. Whether a backslash protects the quote behind it depends on the kind of string and on a setting.
 */
function quotedEnd(text: string, from: number, quote: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      return at + 1;
    }
    if (code === BACKSLASH && quote === QUOTE) {
      at++;
      if (text.charCodeAt(at) === QUOTE) {
        return -1;
      }
    }
  }
  return -1;
}

/** Behind the dollar of `$1`, or behind a string in dollars; `-1`: that does not end. */
function dollarEnd(text: string, at: number): number {
  const end = text.indexOf('$', at + 1);
  if (end === -1 || !/^(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?$/i.test(text.slice(at + 1, end))) {
    return at + 1;
  }
  const tag = text.slice(at, end + 1);
  const close = text.indexOf(tag, end + 1);
  return close === -1 ? -1 : close + tag.length;
}

/** Whether nothing but blanks and semicolons follows. */
function isEnd(text: string, from: number): boolean {
  let at = from;
  while (text.charCodeAt(at) === SEMICOLON) {
    at = skipBlank(text, at + 1);
  }
  return at >= text.length;
}
