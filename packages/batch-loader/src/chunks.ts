/** Cuts a list into pieces of at most `size`. A list that fits is returned as it is, uncopied. */
export function chunks<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  if (items.length <= size) {
    return [items];
  }
  const pieces: (readonly Item[])[] = [];
  for (let start = 0; start < items.length; start += size) {
    pieces.push(items.slice(start, start + size));
  }
  return pieces;
}
