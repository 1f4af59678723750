/* How much room a text takes in a terminal. All of it is for texts that `printable()` has been through. */

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });
const NARROW = /^[\x20-\x7e]*$/;
const EMOJI = /^\p{RGI_Emoji}$|^\p{Emoji_Presentation}/v;
const MARK = /^\p{M}$/u;

/** Wide and full-width characters (East Asian Width W and F), first and last of each range. */
const WIDE: readonly (readonly [from: number, to: number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2fb],
  [0x20000, 0x3fffd],
];

/** Columns that a text takes: two for each East Asian wide character and emoji, none for marks. */
export function columns(text: string): number {
  if (NARROW.test(text)) {
    return text.length;
  }
  let sum = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    sum += columnsOfGrapheme(segment);
  }
  return sum;
}

/** A text of at most so many columns: of a longer one the middle is left out, for both ends tell most. */
export function cut(text: string, most: number): string {
  if (columns(text) <= most) {
    return text;
  }
  const graphemes = Array.from(GRAPHEMES.segment(text), ({ segment }) => segment);
  const room = Math.max(0, most - 1);
  const head = taken(graphemes, Math.ceil(room / 2));
  const tail = taken(graphemes.toReversed(), room - columns(head.join(''))).toReversed();
  return `${head.join('')}…${tail.join('')}`;
}

/**
 * Lines of at most so many columns, broken at spaces; a word that is longer than a line is cut. Spaces at the begin stay, on
 * each line.
 */
export function wrapped(text: string, most: number): readonly string[] {
  const indent = /^ */.exec(text)?.[0].slice(0, Math.floor(most / 2)) ?? '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(/(?<= )(?! )/)) {
    if (line !== '' && columns(indent + line + word.trimEnd()) > most) {
      lines.push(indent + line.trimEnd());
      line = '';
    }
    line += cut(word.trimEnd(), most - indent.length) + ' '.repeat(word.length - word.trimEnd().length);
  }
  return [...lines, indent + line];
}

/** The first of them that fit. */
function taken(graphemes: readonly string[], room: number): readonly string[] {
  let sum = 0;
  const end = graphemes.findIndex(each => (sum += columnsOfGrapheme(each)) > room);
  return end === -1 ? graphemes : graphemes.slice(0, end);
}

function columnsOfGrapheme(grapheme: string): number {
  if (EMOJI.test(grapheme)) {
    return 2;
  }
  let sum = 0;
  for (const character of grapheme) {
    const code = character.codePointAt(0) as number;
    sum += MARK.test(character) ? 0 : WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
  }
  return sum;
}
