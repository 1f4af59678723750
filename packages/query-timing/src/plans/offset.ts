/** How many rows a statement passes over: the OFFSET that it ends with, as a number or one of its values. */
export function offsetOf(sql: string, values: readonly unknown[]): number | undefined {
  // At its end alone: there it cannot be inside of a text.
  const [, number, place] = /\boffset\s+(?:(\d{1,15})|\$(\d{1,5}))(?:\s+rows?)?\s*;?\s*$/i.exec(sql.slice(-100)) ?? [];
  const offset = Number(number ?? (place === undefined ? undefined : values[Number(place) - 1]));
  return Number.isFinite(offset) ? offset : undefined;
}
