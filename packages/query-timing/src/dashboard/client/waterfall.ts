import { duration, whole } from '../../report/format.ts';
import type { RecordData, ScopeData } from '../../report/json.ts';
import { chunked } from './chunks.ts';
import { hashOf } from './location.ts';
import { badge, empty, siteButton, splitGradient, splitText } from './parts.ts';
import { sqlLine } from './sql.ts';
import type { Context } from './state.ts';
import { matching, nothingFound } from './table.ts';
import { h, spaced, type VNode } from './vnode.ts';
import { type Bar, type Bracket, waterfallLayout, type Waterfall } from './waterfall-layout.ts';

/** So many of one shape in one request are pointed out. */
const REPEATED = 3;
/** Requests whose queries are a smaller part of their time begin with that part only. */
const SMALL = 0.05;

/**
 * The queries of a request in time. Above all of them in as few lanes as they need, with transactions as brackets; below a
 * table, one row each, on the same axis and in numbers: it says everything that the picture shows.
 */
export function waterfall(context: Context, scope: ScopeData): VNode {
  const { state, act } = context;
  const { records } = scope;
  if (records.length === 0) {
    return empty('It has made no query.', 'Whatever it took, the database was not asked.');
  }
  const queriesOnly = waterfallLayout(records, undefined);
  const zoom = state.zoom ?? (queriesOnly.length < scope.took * SMALL ? 'queries' : 'whole');
  const layout = zoom === 'queries' ? queriesOnly : waterfallLayout(records, scope);
  const counts = new Map<string, number>();
  records.forEach(({ shape }) => counts.set(shape, (counts.get(shape) ?? 0) + 1));
  const zoomButton = (to: 'whole' | 'queries', label: string): VNode =>
    h(
      'button.chip',
      {
        on: { click: () => act.set({ zoom: to }) },
        attributes: { type: 'button', 'aria-pressed': String(zoom === to) },
      },
      label,
    );
  return h(
    'section.waterfall',
    { key: 'waterfall', attributes: { 'aria-label': 'Waterfall' } },
    h(
      'div.chips',
      { attributes: { role: 'group', 'aria-label': 'What the axis shows' } },
      zoomButton('whole', 'Whole request'),
      zoomButton('queries', 'Only its queries'),
    ),
    picture(context, layout, scope),
    rows(context, layout, scope, counts),
    scope.queries > records.length &&
      h('p.more', undefined, `The first ${whole(records.length)} of ${whole(scope.queries)} queries are kept.`),
  );
}

function picture({ act }: Context, layout: Waterfall, scope: ScopeData): VNode {
  return h(
    'div.picture',
    {
      // The table below says the same.
      attributes: { 'aria-hidden': 'true' },
    },
    axis(layout, 0.96),
    h(
      'div.lanes',
      undefined,
      gridLines(layout),
      layout.levels > 0 &&
        h(
          'div.brackets',
          { style: { height: `${layout.levels * 22}px` } },
          layout.transactions.map(each => bracket(layout, each)),
        ),
      h(
        'div.bars',
        { style: { height: `${layout.lanes * 18}px` } },
        layout.bars.map((bar, index) => {
          const record = scope.records[index]!;
          return h(record.error === undefined ? 'span.query' : 'span.query.failed', {
            key: record.id,
            on: { click: () => act.reveal(tableName(scope), index, rowId(record.id)) },
            style: {
              left: share(bar.from, layout),
              width: share(bar.to - bar.from, layout),
              top: `${bar.lane * 18}px`,
              background: splitGradient(record),
            },
            attributes: { 'data-tip': tip(record, scope, bar.from), 'data-record': record.id },
          });
        }),
      ),
    ),
  );
}

/** @param room how far to the right a label may begin, as a share: beyond it would be cut off */
function axis(layout: Waterfall, room: number): VNode {
  return h(
    'div.axis',
    { attributes: { 'aria-hidden': 'true' } },
    layout.ticks.map(tick =>
      h('span', { style: { left: share(tick, layout) } }, tick < layout.length * room ? duration(tick) : ''),
    ),
  );
}

function gridLines(layout: Waterfall): readonly VNode[] {
  return layout.ticks.map(tick => h('i.grid', { style: { left: share(tick, layout) } }));
}

function bracket(layout: Waterfall, { id, level, from, to, queries, end, idle }: Bracket): VNode {
  const took = to - from;
  const text = `transaction, ${duration(took)}${idle > took * 0.2 && idle >= 1000 ? `, idle ${duration(idle)}` : ''}`;
  return h(
    `span.bracket${end === 'rollback' ? '.rolled-back' : ''}`,
    {
      key: id,
      style: { left: share(from, layout), width: share(took, layout), top: `${level * 22}px` },
      attributes: {
        'data-tip': [
          `Transaction ${id}`,
          `${whole(queries)} queries, ${duration(took)}`,
          `idle ${duration(idle)}`,
          end === undefined ? 'its end is not among these queries' : end === 'commit' ? 'committed' : 'rolled back',
        ].join('\n'),
      },
    },
    h('span', undefined, text),
  );
}

function rows(context: Context, layout: Waterfall, scope: ScopeData, counts: ReadonlyMap<string, number>): VNode {
  const { state } = context;
  const numbered: readonly Numbered[] = scope.records.map((record, index) => ({
    record,
    index,
    bar: layout.bars[index]!,
  }));
  const found = matching(numbered, state.search, ({ record }) => recordText(record, scope));
  if (found.length === 0) {
    return nothingFound(context);
  }
  return h(
    'div.scroll',
    { attributes: { tabindex: 0, role: 'region', 'aria-label': 'Queries of this request' } },
    h(
      'table.fixed.queries',
      { attributes: { 'aria-rowcount': found.length + 1 } },
      h('caption', undefined, 'Queries of this request, in the order of their start'),
      h(
        'thead',
        undefined,
        h(
          'tr',
          undefined,
          h('th.number.place.rank-2', { attributes: { scope: 'col' } }, '#'),
          h('th.wide', { attributes: { scope: 'col' } }, 'Query'),
          h(
            'th.timeline',
            { attributes: { scope: 'col' } },
            h('span.hidden', undefined, 'In time'),
            axis(layout, 0.86),
          ),
          h('th.number.rank-3', { attributes: { scope: 'col' } }, 'Start'),
          ['Wait', 'Send', 'Database', 'Hydrate'].map(label =>
            h('th.number.rank-3', { attributes: { scope: 'col' } }, label),
          ),
          h('th.number', { attributes: { scope: 'col' } }, 'Took'),
          h('th.number.rank-2', { attributes: { scope: 'col' } }, 'Rows'),
        ),
      ),
      chunked(state, tableName(scope), 10, found, each => row(context, layout, scope, counts, each)),
    ),
  );
}

/** A query, its place in the request, and where its bar is. */
interface Numbered {
  readonly record: RecordData;
  readonly index: number;
  readonly bar: Bar;
}

function row(
  { state, act }: Context,
  layout: Waterfall,
  scope: ScopeData,
  counts: ReadonlyMap<string, number>,
  { record, index, bar }: Numbered,
): VNode {
  const shape = scope.statements[record.shape];
  const repeated = counts.get(record.shape) ?? 0;
  return h(
    record.error === undefined ? 'tr' : 'tr.bad',
    { key: record.id, attributes: { id: rowId(record.id), tabindex: -1 } },
    h('td.number.rank-2', undefined, index + 1),
    h(
      'td.wide',
      undefined,
      spaced([
        h(
          'a.name',
          {
            attributes: {
              href: hashOf('shapes', record.shape),
              'data-tip': `${shape?.text ?? record.shape}${parametersOf(record)}`,
            },
          },
          shape?.summary ?? record.operation ?? record.shape,
        ),
        record.entity !== undefined && badge([record.entity, record.operation].filter(Boolean).join('.')),
        repeated >= REPEATED &&
          badge(`×${whole(repeated)}`, 'warning', `This request sent it ${whole(repeated)} times.`),
        record.error !== undefined && badge(record.error, 'error', 'SQLSTATE, or class of the error'),
        record.transaction !== undefined && badge(`tx ${record.transaction}`, 'tx', 'transaction'),
        record.node !== undefined && record.role === 'replica' && badge(record.node, '', 'the replica it went to'),
        record.batch !== undefined &&
          badge(`batch of ${whole(record.batch)}`, 'good', 'calls that it answered together'),
        record.cache !== undefined && badge(record.cache, '', 'what the result cache did'),
        record.route !== undefined && badge(record.route, '', 'why it went where it went'),
        record.label !== undefined && badge(record.label, '', 'label'),
        h(
          'span.second',
          undefined,
          sqlLine(shape?.text ?? ''),
          siteButton(state, act, `record ${record.id}`, record.site),
        ),
      ]),
    ),
    h(
      'td.timeline',
      undefined,
      gridLines(layout),
      h('span.query', {
        style: {
          left: share(bar.from, layout),
          width: share(bar.to - bar.from, layout),
          background: splitGradient(record),
        },
        attributes: { 'data-tip': tip(record, scope, bar.from), 'aria-hidden': 'true' },
      }),
      h('span.hidden', undefined, `starts after ${duration(bar.from)}, ${splitText(record)}`),
    ),
    h('td.number.rank-3', undefined, duration(bar.from)),
    [record.wait, record.send, record.database, record.after].map(us => h('td.number.rank-3', undefined, duration(us))),
    h('td.number', undefined, duration(record.took)),
    h('td.number.rank-2', undefined, whole(record.rows)),
  );
}

function share(us: number, { length }: Waterfall): string {
  return `${((us / length) * 100).toFixed(4)}%`;
}

function tip(record: RecordData, scope: ScopeData, from: number): string {
  return [
    scope.statements[record.shape]?.summary ?? record.shape,
    `starts after ${duration(from)}, takes ${duration(record.took)}`,
    ...splitText(record).split(', '),
    record.error === undefined ? `${whole(record.rows)} rows` : `failed: ${record.error}`,
  ].join('\n');
}

function parametersOf({ parameters }: RecordData): string {
  return parameters && parameters.length > 0 ? `\nwith ${parameters.join(', ')}` : '';
}

function recordText(record: RecordData, scope: ScopeData): string {
  const shape = scope.statements[record.shape];
  return [
    shape?.summary,
    shape?.text,
    record.entity,
    record.operation,
    record.error,
    record.site?.file,
    record.label,
  ].join(' ');
}

/** Of the table of its queries. */
function tableName({ id }: ScopeData): string {
  return `queries-${id}`;
}

function rowId(id: number): string {
  return `query-${id}`;
}
