/**
 * What may be kept of a text that came from outside: at most `most` characters, with `…` where more were, and U+FFFD for
 * control characters, line separators, marks that turn the direction of writing, and halves of a character.
 */
export function boundedText(text: string, most: number): string {
  const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  // A copy: a slice keeps the whole text in memory, however long it was.
  return Buffer.from(short.replace(UNSAFE, '\uFFFD')).toString();
}

const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/gu;
