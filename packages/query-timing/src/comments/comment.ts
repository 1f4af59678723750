/** Names of tags, in bytes. */
const MAX_KEY = 64;
/** Values of tags, in bytes. */
const MAX_VALUE = 256;
const MAX_TAGS = 20;

/**
 * A comment for SQL that carries tags, as sqlcommenter writes it: sorted by key, `'…'` around values, `,` between.
 * Everything but `A–Z a–z 0–9 - _ . ~` is percent-encoded, keys too, so that no tag can end the comment, the quotes or a
 * placeholder, whatever is in it.
 *
 * At most the first 20 tags are kept, of a value 256 bytes, of a key 64, control characters dropped. What is empty then, is
 * not a string, or has a key that was there before is left out.
 *
 * Source: https://google.github.io/sqlcommenter/spec, with more encoded than it asks for: its own `\'` is not needed then.
 *
 * Trap: `pg_stat_statements` keeps the first text it saw of a statement, with its comment, for good. No secrets in tags.
 *
 * @returns `''` if there is no tag
 */
export function comment(tags: Readonly<Record<string, string | undefined>>): string {
  const pairs = new Map<string, string>();
  for (const key of Object.keys(tags)) {
    if (pairs.size === MAX_TAGS) {
      break;
    }
    const name = encoded(key, MAX_KEY);
    const value = encoded(tags[key], MAX_VALUE);
    if (name !== '' && value !== '' && !pairs.has(name)) {
      pairs.set(name, value);
    }
  }
  if (pairs.size === 0) {
    return '';
  }
  const names = [...pairs.keys()].toSorted();
  return `/*${names.map(name => `${name}='${pairs.get(name)}'`).join(',')}*/`;
}

/** Tags come from callers without types as well: what is not a string is nothing. */
function encoded(text: unknown, maxBytes: number): string {
  if (typeof text !== 'string') {
    return '';
  }
  // encodeURIComponent() leaves these five; it throws at half of a surrogate pair.
  return encodeURIComponent(cut(printable(text).toWellFormed(), maxBytes)).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Without control characters (C0, DEL, C1). Of a very long text only the beginning is looked at. */
function printable(text: string): string {
  const beginning = text.length > 1_024 ? text.slice(0, 1_024) : text;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return beginning.replace(/[\u0000-\u001f\u007f-\u009f]+/g, '');
}

/** So many bytes of UTF-8 at most, whole characters only. */
function cut(text: string, maxBytes: number): string {
  // A UTF-16 unit is three bytes at most.
  if (text.length * 3 <= maxBytes) {
    return text;
  }
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
