/* Characters as PostgreSQL's lexer sees them (documentation, 4.1). */

export const DOUBLE_QUOTE = 34;
export const DOLLAR = 36;
export const AMPERSAND = 38;
export const QUOTE = 39;
export const OPEN = 40;
export const CLOSE = 41;
export const STAR = 42;
export const PLUS = 43;
export const COMMA = 44;
export const MINUS = 45;
export const DOT = 46;
export const SLASH = 47;
export const COLON = 58;
export const SEMICOLON = 59;
export const LESS = 60;
export const GREATER = 62;
export const QUESTION = 63;
export const OPEN_BRACKET = 91;
export const BACKSLASH = 92;
export const CLOSE_BRACKET = 93;
export const BAR = 124;

/** What has no meaning to PostgreSQL. */
export const STRAY = 0;
export const SPACE = 1;
/** What may begin a word; whatever is not ASCII does. */
export const LETTER = 2;
export const DIGIT = 3;
/** What an operator is made of. */
export const SIGN = 4;
/** What has a rule of its own, each. */
export const MARK = 5;

const CLASSES = new Uint8Array(128);
/** What goes on with a word, in lower case; of all else 0. */
const WORD = new Uint8Array(128);
mark(/[ \t\n\r\f\v]/, SPACE);
mark(/[a-z_]/i, LETTER);
mark(/[0-9]/, DIGIT);
mark(/[-+*/<>=~!@#%^&|`]/, SIGN);
mark(/["$'(),.:;?[\\\]]/, MARK);

function mark(characters: RegExp, as: number): void {
  for (let code = 0; code < 128; code++) {
    const character = String.fromCharCode(code);
    if (characters.test(character)) {
      CLASSES[code] = as;
      WORD[code] = as === LETTER || as === DIGIT || code === DOLLAR ? character.toLowerCase().charCodeAt(0) : 0;
    }
  }
}

/** One of the classes above. */
export function classOf(code: number): number {
  return code < 128 ? CLASSES[code]! : LETTER;
}

/** Whether an operator may go on with it. */
export function isSign(code: number): boolean {
  return classOf(code) === SIGN || code === BACKSLASH;
}

/** The character in lower case if a word goes on with it, else 0. Letters that are not ASCII stay as they are. */
export function inWord(code: number): number {
  return code < 128 ? WORD[code]! : code;
}

/** Whether a word goes on with it. */
export function isInWord(code: number): boolean {
  return inWord(code) !== 0;
}

/**
 * `text.charCodeAt(at)`, called on the function itself: as soon as any class of the process extends `String` (ioredis has one),
 * V8 compiles the method's calls to code that takes five times as long, but not these.
 */
export const charCodeAt: (text: string, at: number) => number = Function.prototype.call.bind(
  String.prototype.charCodeAt,
) as never;

/**
 * The character at a place, and 0 behind the end, which is a stray one: never NaN, for which the engine would leave its fast
 * path.
 */
export function codeAt(text: string, at: number): number {
  return at < text.length ? charCodeAt(text, at) : 0;
}
