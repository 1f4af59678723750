/** Longest text that is looked at; of longer ones the middle is left out. */
const LONGEST = 2_000;
/** More marks on one character paint over the lines above and below. */
const MOST_MARKS = 4;

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });
const HARMLESS = /^[\x20-\x7e]*$/;
const EMOJI = /^\p{RGI_Emoji}$/v;
/** Controls, what changes the direction of text or cannot be seen, halves of pairs, private and unassigned characters. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;
const MARKS = new RegExp(`(\\p{M}{${MOST_MARKS}})\\p{M}+`, 'gu');
/** What CI services take for a command: `::` at the begin of a line, `##[` and `##vso[` anywhere. */
const COMMAND = /^\s*::|##(?=\[|vso\[)/g;

/**
 * A text that anyone may have chosen, for one line of a terminal or log: it cannot move the cursor, change colours, begin a
 * new line, turn the direction of what follows, or command the CI service that reads it. What could is shown as an escape
 * (`\x1b`, `\u{202e}`). At most 2000 characters of it, from both ends.
 */
export function printable(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST / 2)}…${text.slice(-LONGEST / 2)}` : text;
  return (HARMLESS.test(short) ? short : escaped(short)).replace(
    COMMAND,
    command => `${command.slice(0, -1)}${escape(command.slice(-1))}`,
  );
}

function escaped(text: string): string {
  let result = '';
  for (const { segment } of GRAPHEMES.segment(text)) {
    // The joiners and selectors inside of an emoji cannot be seen either, and belong there.
    result += EMOJI.test(segment) ? segment : segment.replace(UNSEEN, escape).replace(MARKS, '$1');
  }
  return result;
}

function escape(character: string): string {
  const code = (character.codePointAt(0) as number).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`;
}
