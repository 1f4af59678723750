import type { State } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** Rows of a chunk. */
export const CHUNK = 50;
/** Shorter tables are drawn whole. */
const WHOLE = 100;
/** How high a row is as long as none was drawn, in px. */
const ROW = 46;

/**
 * The rows of a table as bodies of 50 each, of which only those near what is looked at are drawn: thousands of rows cost as
 * much as a hundred. The others are empty, and as high as they were when they were drawn last. Pure.
 *
 * @param id of the table, one word
 * @param columns how many it has
 */
export function chunked<Row>(
  { near, heights, printing }: State,
  id: string,
  columns: number,
  rows: readonly Row[],
  row: (row: Row) => VNode,
): readonly VNode[] {
  if (printing || rows.length <= WHOLE) {
    return [h('tbody', { key: id }, rows.map(row))];
  }
  const count = Math.ceil(rows.length / CHUNK);
  const { first, last } = near[id] ?? { first: 0, last: 0 };
  return Array.from({ length: count }, (_, index) => {
    const own = rows.slice(index * CHUNK, (index + 1) * CHUNK);
    const name = chunkName(id, index);
    if (index >= first && index <= last) {
      return h('tbody', { key: name, attributes: { 'data-chunk': name } }, own.map(row));
    }
    const height = heights[name] ?? (heights[chunkName(id, 0)] ?? ROW * CHUNK) * (own.length / CHUNK);
    return h(
      'tbody.folded',
      { key: name, attributes: { 'data-chunk': name, 'aria-hidden': 'true' } },
      h('tr', undefined, h('td', { style: { height: `${height}px` }, attributes: { colspan: columns } })),
    );
  });
}

function chunkName(id: string, index: number): string {
  return `${id} ${index}`;
}
