import { duration, short, whole } from '../../report/format.ts';
import type { ShapeData } from '../../report/json.ts';
import { hashOf } from './location.ts';
import { badge, empty, shareBar, siteButton } from './parts.ts';
import { spark } from './spark.ts';
import { sqlLine } from './sql.ts';
import type { Context } from './state.ts';
import { table } from './table.ts';
import { h, type VNode } from './vnode.ts';

/** Statements that differ in their values only, by what they cost together. */
export function shapesView(context: Context): VNode {
  const { state, report, act } = context;
  const all = Math.max(1, report.totals.took);
  return h(
    'div',
    { key: 'shapes' },
    h('h2.hidden', undefined, 'Shapes'),
    table<ShapeData>(context, {
      id: 'shapes',
      caption: 'Statements without their values',
      rows: report.shapes,
      key: shape => shape.id,
      text: shape =>
        [shape.text, shape.entity, shape.operation, shape.site?.file, shape.site?.function, shape.id].join(' '),
      open: shape => act.go('shapes', shape.id),
      tone: shape => (shape.errors > 0 ? 'bad' : ''),
      sort: { column: 'share', descending: true },
      empty: empty(
        'No statements yet.',
        'As soon as your application asks the database, each kind of statement has its row here.',
      ),
      columns: [
        {
          id: 'statement',
          label: 'Statement',
          kind: 'wide',
          value: shape => shape.summary,
          cell: shape => [
            h(
              'a.name',
              { attributes: { href: hashOf('shapes', shape.id), 'data-focus': `shapes/${shape.id}` } },
              shape.summary || shape.kind,
            ),
            shape.entity !== undefined && badge([shape.entity, shape.operation].filter(Boolean).join('.')),
            shape.errors > 0 && badge(`${whole(shape.errors)} failed`, 'error'),
            h('span.second', undefined, sqlLine(shape.text), siteButton(state, act, `shape ${shape.id}`, shape.site)),
          ],
        },
        {
          id: 'share',
          label: 'Of all time',
          kind: 'share',
          value: shape => shape.took,
          cell: shape => shareBar(shape.took / all),
        },
        {
          id: 'calls',
          label: 'Calls',
          kind: 'number',
          rank: 2,
          value: shape => shape.calls,
          cell: shape => short(shape.calls),
        },
        {
          id: 'p50',
          label: 'p50',
          hint: 'Half of the calls took no longer.',
          kind: 'number',
          rank: 2,
          value: shape => shape.p50,
          cell: shape => duration(shape.p50),
        },
        {
          id: 'p95',
          label: 'p95',
          hint: '95 of 100 calls took no longer.',
          kind: 'number',
          value: shape => shape.p95,
          cell: shape => duration(shape.p95),
        },
        {
          id: 'p99',
          label: 'p99',
          hint: '99 of 100 calls took no longer.',
          kind: 'number',
          rank: 2,
          value: shape => shape.p99,
          cell: shape => duration(shape.p99),
        },
        {
          id: 'spread',
          label: 'Spread',
          hint: 'How the times of its calls are spread, on a logarithmic axis.',
          kind: 'chart',
          rank: 3,
          value: shape => shape.max,
          cell: shape => spark(shape.histogram),
        },
        {
          id: 'rows',
          label: 'Rows',
          hint: 'Rows of one call, on average.',
          kind: 'number',
          rank: 3,
          value: shape => (shape.calls > 0 ? shape.rows / shape.calls : undefined),
          cell: shape => (shape.calls > 0 ? short(Math.round((shape.rows / shape.calls) * 10) / 10) : '–'),
        },
        {
          id: 'errors',
          label: 'Errors',
          kind: 'number',
          rank: 3,
          value: shape => shape.errors,
          cell: shape => whole(shape.errors),
        },
      ],
    }),
  );
}
