import { whole } from '../../report/format.ts';
import { chunked } from './chunks.ts';
import type { Context } from './state.ts';
import { type Child, h, spaced, type VNode } from './vnode.ts';

/** A column of a table. */
export interface Column<Row> {
  readonly id: string;
  readonly label: string;
  /** What it means, for who does not know. */
  readonly hint?: string;
  /** What it is sorted by. Without it, it cannot be sorted by. */
  readonly value?: (row: Row) => string | number | undefined;
  readonly cell: (row: Row) => Child | readonly Child[];
  /** How wide it is: `wide` has what is left. */
  readonly kind?: 'number' | 'share' | 'split' | 'wide' | 'chart' | 'short';
  /** 3 gives way first where there is little room, then 2; 1 stays. */
  readonly rank?: 1 | 2 | 3;
}

export interface Table<Row> {
  readonly id: string;
  /** For who does not see it. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly key: (row: Row) => string | number;
  /** What is searched. */
  readonly text: (row: Row) => string;
  /** Where a row leads to. */
  readonly open?: (row: Row) => void;
  /** More classes of a row. */
  readonly tone?: (row: Row) => string;
  /** Column and direction at first; without it the order that the rows have. */
  readonly sort?: { readonly column: string; readonly descending: boolean };
  readonly empty: VNode;
}

/** A table that can be sorted and searched. Pure. */
export function table<Row>(context: Context, it: Table<Row>): VNode {
  if (it.rows.length === 0) {
    return it.empty;
  }
  const { state } = context;
  const found = matching(it.rows, state.search, it.text);
  if (found.length === 0) {
    return nothingFound(context);
  }
  const sort = state.sorts[it.id] ?? it.sort;
  const sorted = sortedRows(found, it.columns, sort);
  return h(
    'div.table',
    { key: it.id },
    h(
      'div.scroll',
      { attributes: { tabindex: 0, role: 'region', 'aria-label': it.caption } },
      h(
        'table.fixed',
        { attributes: { 'aria-rowcount': sorted.length + 1 } },
        h('caption', undefined, it.caption),
        h(
          'thead',
          undefined,
          h(
            'tr',
            undefined,
            it.columns.map(column => head(context, it.id, column, sort)),
          ),
        ),
        chunked(state, it.id, it.columns.length, sorted, row => rowOf(it, row)),
      ),
    ),
  );
}

function rowOf<Row>(it: Table<Row>, row: Row): VNode {
  const { open } = it;
  return h(
    'tr',
    {
      key: it.key(row),
      attributes: { class: [open ? 'opens' : '', it.tone?.(row) ?? ''].join(' ').trim() || undefined },
      // For a mouse; the link in the row is for everybody.
      on: open ? { click: event => void (isControl(event) || open(row)) } : {},
    },
    it.columns.map(column => h(cellClass('td', column), undefined, spaced([column.cell(row)].flat()))),
  );
}

/** Those whose text has every word that is searched. Pure. */
export function matching<Row>(rows: readonly Row[], search: string, text: (row: Row) => string): readonly Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    return rows;
  }
  return rows.filter(row => {
    const own = text(row).toLowerCase();
    return words.every(word => own.includes(word));
  });
}

/** Equal ones stay in their order; what has no value is last in either direction. Pure. */
export function sortedRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sort: { readonly column: string; readonly descending: boolean } | undefined,
): readonly Row[] {
  const value = columns.find(column => column.id === sort?.column)?.value;
  if (!sort || !value) {
    return rows;
  }
  const direction = sort.descending ? -1 : 1;
  return rows
    .map(row => ({ row, by: value(row) }))
    .sort((a, b) => {
      if (a.by === undefined || b.by === undefined) {
        return Number(a.by === undefined) - Number(b.by === undefined);
      }
      return a.by === b.by ? 0 : a.by < b.by ? -direction : direction;
    })
    .map(({ row }) => row);
}

export function more(shown: number, all: number, press: () => void): VNode {
  return h(
    'p.more',
    undefined,
    `${whole(shown)} of ${whole(all)} are shown. `,
    h('button', { on: { click: press }, attributes: { type: 'button' } }, 'Show more'),
  );
}

export function nothingFound({ state, act }: Context): VNode {
  return h(
    'div.empty',
    undefined,
    h('p.empty-title', undefined, `Nothing here has “${state.search}” in it.`),
    h(
      'button',
      { on: { click: () => act.set({ search: '', near: {}, heights: {} }) }, attributes: { type: 'button' } },
      'Clear the search',
    ),
  );
}

function head<Row>(
  { state, act }: Context,
  id: string,
  column: Column<Row>,
  sort: { readonly column: string; readonly descending: boolean } | undefined,
): VNode {
  const selector = cellClass('th', column);
  if (!column.value) {
    return h(selector, { attributes: { scope: 'col', title: column.hint } }, column.label);
  }
  const sorted = sort?.column === column.id ? sort : undefined;
  // Numbers are asked for by the largest, names by the first.
  const descending = sorted ? !sorted.descending : column.kind !== 'wide' && column.kind !== 'short';
  return h(
    selector,
    {
      attributes: {
        scope: 'col',
        title: column.hint,
        'aria-sort': sorted ? (sorted.descending ? 'descending' : 'ascending') : undefined,
      },
    },
    h(
      'button.sort',
      {
        on: {
          click: () =>
            act.set({ sorts: { ...state.sorts, [id]: { column: column.id, descending } }, near: {}, heights: {} }),
        },
        attributes: { type: 'button' },
      },
      column.label,
      h('span.arrow', { attributes: { 'aria-hidden': 'true' } }, sorted ? (sorted.descending ? '↓' : '↑') : '↕'),
    ),
  );
}

function cellClass<Row>(tag: string, { kind, rank = 1 }: Column<Row>): string {
  return `${tag}.rank-${rank}${kind === undefined ? '' : `.${kind}`}`;
}

/** Whether it came from something in the row that does a thing of its own. */
function isControl(event: Event): boolean {
  const { target } = event as { readonly target: { closest?: (selector: string) => unknown } | null };
  return Boolean(target?.closest?.('a, button, summary'));
}
