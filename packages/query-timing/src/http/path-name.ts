/** Of a longer target only the beginning is looked at. */
const LONGEST_TARGET = 2_000;
const LONGEST_SEGMENT = 64;

/**
 * The path of a request's target or URL, with `:id` for each segment that looks like a value rather than a name, so that
 * requests of one kind have one name, and neither keys nor tokens are in it: numbers and dates, uuids and long hex, long
 * segments with digits, e-mail addresses. Never the query, a fragment, parameters behind `;`, or what stands before the path
 * (host, user, password). Linear; never throws.
 */
export function pathName(target: string): string {
  const path = target
    .slice(0, LONGEST_TARGET)
    .replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '')
    .split(/[?#]/, 1)[0]!;
  return path === '' ? '/' : path.split('/').map(segmentName).join('/');
}

function segmentName(segment: string): string {
  const name = segment.split(';', 1)[0]!;
  return isValue(name) ? ':id' : name;
}

function isValue(segment: string): boolean {
  return (
    /^\d[\d.-]*$/.test(segment) ||
    /^[\da-f-]{16,}$/i.test(segment) ||
    (segment.length >= 20 && /\d/.test(segment)) ||
    /@|%40/.test(segment) ||
    segment.length > LONGEST_SEGMENT
  );
}
