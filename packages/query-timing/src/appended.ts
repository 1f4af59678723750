/** An empty list that many begin with: never changed. */
export const EMPTY: readonly never[] = Object.freeze([]);

/**
 * A list with one more; the list itself where it has any. An array that begins empty gets room for seventeen with its first
 * element, and most lists of a query come to one.
 */
export function appended<T>(list: readonly T[], item: T): readonly T[] {
  if (list.length === 0) {
    return [item];
  }
  (list as T[]).push(item);
  return list;
}
