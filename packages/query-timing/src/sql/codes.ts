import { endianness } from 'node:os';

/** Of the texts that need no memory of their own, in characters. */
const LONGEST = 8_192;
/* Scratch paper rather than state: nothing that is on it outlives a call. */
const SHARED = Buffer.allocUnsafeSlow(LONGEST * 2);
const CODES = new Uint16Array(SHARED.buffer, SHARED.byteOffset, LONGEST);
/** Whether numbers begin with their greater byte here: a buffer writes the lesser one first. */
const SWAPS = endianness() === 'BE';

/**
 * The UTF-16 code units of a text, as an array: to copy them takes a tenth of the time that it takes to get them one by one.
 *
 * Trap: good until the next call only, and longer than the text.
 */
export function codesOf(text: string): Uint16Array {
  const { length } = text;
  const isLong = length > LONGEST;
  const bytes = isLong ? Buffer.allocUnsafeSlow(length * 2) : SHARED;
  bytes.write(text, 0, 'utf16le');
  if (SWAPS) {
    bytes.swap16();
  }
  return isLong ? new Uint16Array(bytes.buffer, bytes.byteOffset, length) : CODES;
}
