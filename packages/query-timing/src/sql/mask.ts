import * as c from './characters.ts';
import { Lexer, wordEnd } from './lexer.ts';

/** What EXPLAIN calls its parts: a number that is none of the data. */
const PART = /^(?:SubPlan|InitPlan) \d{1,4}(?![\w.])/;
/** How long a type is, behind its name: `numeric(10,2)`, `character varying(255)`. */
const TYPE_LENGTH = /^(?: varying)? ?\(\d{1,5}(?:, ?-?\d{1,5})?\)/;
/** Longer than what those match. */
const AHEAD = 40;

/**
 * An expression as plans have it, or a whole statement, without values: strings of any kind and numbers become `?`. Names,
 * operators, `$1`, the types of casts (`::numeric(10,2)`), `null`, `true` and `false`, and the numbers of `SubPlan 1` stay as they
 * are. Comments go, as they may hold anything; so does what does not end.
 *
 * Takes time in proportion to the text, and never throws.
 */
export function mask(text: string): string {
  const lexer = new Lexer(text);
  let masked = '';
  /** What is not copied yet begins there. */
  let from = 0;
  const replace = (at: number, by: string): void => {
    masked += text.slice(from, at) + by;
    from = lexer.at;
  };
  while (lexer.at < text.length) {
    const { at } = lexer;
    const code = text.charCodeAt(at);
    lexer.skipBlank();
    if (lexer.at > at) {
      if (lexer.commented) {
        replace(at, ' ');
        lexer.commented = false;
      }
    } else if (code === c.COLON) {
      if (c.codeAt(text, at + 1) === c.COLON) {
        lexer.at = typeEnd(text, at + 2);
      } else {
        lexer.at++;
      }
    } else if (lexer.skipValue()) {
      if (!isParameter(text, at, lexer.at)) {
        replace(at, '?');
      }
    } else if (code === c.DOUBLE_QUOTE) {
      lexer.at = lexer.quotedEnd(at + 1, '"');
      if (lexer.broken) {
        replace(at, '?');
      }
    } else if (c.classOf(code) === c.LETTER) {
      lexer.at = Math.max(wordEnd(text, at), at + lengthOf(PART, text, at));
    } else {
      lexer.at++;
    }
  }
  return masked + text.slice(from);
}

/** Behind the name of a type and its length, if one stands there. */
function typeEnd(text: string, from: number): number {
  let at = wordEnd(text, from);
  if (at === from && c.codeAt(text, at) === c.DOUBLE_QUOTE) {
    const end = text.indexOf('"', at + 1);
    at = end === -1 ? at : end + 1;
  }
  return at === from ? at : at + lengthOf(TYPE_LENGTH, text, at);
}

/** Of what matches there. */
function lengthOf(pattern: RegExp, text: string, at: number): number {
  return pattern.exec(text.slice(at, at + AHEAD))?.[0].length ?? 0;
}

function isParameter(text: string, at: number, end: number): boolean {
  return /^\$\d{1,5}$/.test(text.slice(at, Math.min(end, at + 7)));
}
