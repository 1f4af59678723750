/** A name as SQL quotes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A name from between its quotes. */
export function unquoted(name: string): string {
  return name.replaceAll('""', '"');
}
