/** Of the texts that need no memory of their own, in characters. */
const LONGEST = 8_192;
const SHARED = Buffer.allocUnsafeSlow(LONGEST * 2);
const CODES = new Uint16Array(SHARED.buffer, SHARED.byteOffset, LONGEST);

/**
 * The UTF-16 code units of a text, as an array: to copy them takes a tenth of the time that it takes to get them one by one.
 *
 * Trap: good until the next call only, and longer than the text.
 */
export function codesOf(text: string): Uint16Array {
  const { length } = text;
  if (length <= LONGEST) {
    SHARED.write(text, 0, 'utf16le');
    return CODES;
  }
  const own = Buffer.allocUnsafeSlow(length * 2);
  own.write(text, 0, 'utf16le');
  return new Uint16Array(own.buffer, own.byteOffset, length);
}
