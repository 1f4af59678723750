import { GRAMMAR_CALLS, PURE } from './functions.ts';
import { EFFECTS, NO_CALL } from './keywords.ts';

/** What to do at a character outside of quotes. */
const OTHER = 0;
const SPACE = 1;
const LETTER = 2;
const DIGIT = 3;
const DOUBTFUL = 4;
const OPEN = 5;
const CLOSE = 6;
const NAME = 7;
const LITERAL = 8;
const DASH = 9;
const SLASH = 10;
const END = 11;
const DOLLAR = 12;
const QUESTION = 13;

/** As long as there are characters, so that no look-up is out of bounds. */
const ACTIONS = new Uint8Array(65_536).fill(DOUBTFUL);
const mark = (chars: string, action: number): void => {
  for (const char of chars) {
    ACTIONS[char.charCodeAt(0)] = action;
  }
};
mark('~!@#^&|`+*%<>=,.:', OTHER);
mark(' \t\n\r\f\v', SPACE);
mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', LETTER);
mark('0123456789', DIGIT);
mark('(', OPEN);
mark(')', CLOSE);
mark('"', NAME);
mark("'", LITERAL);
mark('-', DASH);
mark('/', SLASH);
mark(';', END);
mark('$', DOLLAR);
mark('?', QUESTION);

/** Whether a character may go on a word; `$` may. */
const IN_WORD = new Uint8Array(65_536);
for (const char of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789$') {
  IN_WORD[char.charCodeAt(0)] = 1;
}

/** Words that may stand before a parenthesis wherever they are. */
const HARMLESS_BEFORE: ReadonlySet<string> = new Set([...PURE, ...GRAMMAR_CALLS, ...NO_CALL]);

/** By the first letter of a word, the lengths, as bits, of those of {@link EFFECTS}: most words need no look-up. */
const EFFECT_LENGTHS = new Uint16Array(128);
for (const word of EFFECTS) {
  const code = word.charCodeAt(0);
  EFFECT_LENGTHS[code]! |= 1 << word.length;
  EFFECT_LENGTHS[code - 32]! |= 1 << word.length;
}

/**
 * Whether an SQL text may do more than read, told in a microsecond or two. False only of a single select without a doubt:
 * no CTE, no comment, no function that is not known to do nothing else. Then {@link analyse} finds one select, not opaque,
 * without writes.
 */
export function mayWrite(sql: string): boolean {
  const length = sql.length;
  let at = 0;
  while (at < length && ACTIONS[sql.charCodeAt(at)] === SPACE) {
    at++;
  }
  if (sql.slice(at, at + 6).toLowerCase() !== 'select' || IN_WORD[sql.charCodeAt(at + 6)] === 1) {
    return true;
  }
  at += 6;
  let depth = 0;
  /** The character before, other than white space. */
  let before = 0;
  // MikroORM replaces placeholders within quotes too, which would make the text another one.
  let hidden = false;
  let placeholders = false;
  while (at < length) {
    const code = sql.charCodeAt(at);
    switch (ACTIONS[code]) {
      case SPACE:
        at++;
        continue;
      case OTHER:
      case DIGIT:
        at++;
        break;
      case LETTER: {
        // `1e5`, `0x1F`: read by other rules.
        if (ACTIONS[sql.charCodeAt(at - 1)] === DIGIT) {
          return true;
        }
        const start = at++;
        while (at < length && IN_WORD[sql.charCodeAt(at)] === 1) {
          at++;
        }
        const size = at - start;
        if (size < 16 && (EFFECT_LENGTHS[code]! >> size) & 1 && EFFECTS.has(sql.slice(start, at).toLowerCase())) {
          return true;
        }
        let next = at;
        while (next < length && ACTIONS[sql.charCodeAt(next)] === SPACE) {
          next++;
        }
        if (next < length && sql.charCodeAt(next) === 40 && mayCall(sql, start, at, before)) {
          return true;
        }
        break;
      }
      case NAME:
      case LITERAL: {
        // `e'…'`, `u&'…'`: read by other rules.
        const previous = sql.charCodeAt(at - 1);
        if (IN_WORD[previous] === 1 || previous >= 128 || previous === 38) {
          return true;
        }
        let end = at + 1;
        // Looked for here: an `indexOf` over the text is repeated for every character once V8 has moved it into the loop.
        for (; end < length && sql.charCodeAt(end) !== code; end++) {
          hidden ||= sql.charCodeAt(end) === 63;
        }
        if (end === length) {
          return true;
        }
        at = end + 1;
        break;
      }
      case OPEN:
        // A name in quotes is called.
        if (before === 34) {
          return true;
        }
        depth++;
        at++;
        break;
      case CLOSE:
        if (--depth < 0) {
          return true;
        }
        at++;
        break;
      case DASH:
        if (sql.charCodeAt(at + 1) === 45) {
          return true;
        }
        at++;
        break;
      case SLASH:
        if (sql.charCodeAt(at + 1) === 42) {
          return true;
        }
        at++;
        break;
      case END:
        return depth !== 0 || (hidden && placeholders) || sql.slice(at + 1).trim() !== '';
      case DOLLAR:
        if (ACTIONS[sql.charCodeAt(at + 1)] !== DIGIT) {
          return true;
        }
        at++;
        break;
      case QUESTION:
        // The name of a function could stand for `??`.
        if (sql.charCodeAt(at + 1) === 63) {
          return true;
        }
        placeholders = true;
        at++;
        break;
      default:
        return true;
    }
    before = code;
  }
  return depth !== 0 || (hidden && placeholders);
}

/** Whether a word with a parenthesis behind it calls what is not known. */
function mayCall(sql: string, start: number, end: number, before: number): boolean {
  const word = sql.slice(start, end).toLowerCase();
  switch (word) {
    case 'by': {
      // Behind `.` or `as` a keyword is a name.
      const ahead = sql.slice(Math.max(0, start - 60), start);
      return !/\S\s*\b(?:group|order|partition)\s+$/i.test(ahead) || /(?:\.|\bas)\s*\w+\s+$/i.test(ahead);
    }
    case 'join':
      return !/[\s)"](?:(?:inner|left|right|full|cross|outer)\s+|(?<=[)"])\s*)$/i.test(
        sql.slice(Math.max(0, start - 20), start),
      );
    case 'filter':
    case 'over':
      return before !== 41;
    default:
      // A `.` before it: a function of another schema.
      return before === 46 || !HARMLESS_BEFORE.has(word);
  }
}
