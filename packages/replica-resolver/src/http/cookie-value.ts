/**
 * The value of the first cookie of this name in a Cookie header, as it stands: nothing is decoded, quotes are part of it.
 * Names are compared exactly, as RFC 6265 has it. Linear in the length of the header; never throws.
 */
export function cookieValue(header: string, name: string): string | undefined {
  let equals = -1;
  for (let start = 0; start < header.length;) {
    if (equals < start) {
      equals = header.indexOf('=', start);
    }
    if (equals === -1) {
      return undefined;
    }
    const semicolon = header.indexOf(';', start);
    const end = semicolon === -1 ? header.length : semicolon;
    if (equals < end && header.slice(start, equals).trim() === name) {
      return header.slice(equals + 1, end).trim();
    }
    start = end + 1;
  }
  return undefined;
}
