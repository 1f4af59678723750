// What no eye sees, or what turns the text after it around: controls but tab and line feed, marks of direction, joiners of
// no width, tags, line separators, halves of characters.
const unseen = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\n\t]]/gv;
// What most texts are made of: looked at first, since the other one takes its time.
const plain = /^[ -~\n\t]*$/;

/**
 * The text with what cannot be seen made visible: `␀` to `␟` for the controls of ASCII, `⟨U+202E⟩` for others. A hostile
 * name can neither hide a part of itself nor turn what stands behind it around. Pure.
 */
export function visible(text: string): string {
  if (plain.test(text)) {
    return text;
  }
  return text.replace(unseen, character => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) {
      return String.fromCharCode(0x2400 + code);
    }
    return code === 0x7f ? '␡' : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}
