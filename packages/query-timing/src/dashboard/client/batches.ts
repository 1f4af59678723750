import { short, whole } from '../../report/format.ts';
import type { BatchReport } from '../../timing-report.ts';
import { empty, fact, facts } from './parts.ts';
import type { Context } from './state.ts';
import { table } from './table.ts';
import { h, type VNode } from './vnode.ts';

type Row = readonly [entity: string, counts: BatchReport['entities'][string]];

/** Calls that were answered together. */
export function batchesView(context: Context): VNode {
  const { batches } = context.report;
  if (!batches) {
    return h(
      'div',
      { key: 'batches' },
      empty('No batches.', 'They are seen as soon as @mikrokit/batch-loader is there.'),
    );
  }
  return h(
    'div.stack',
    { key: 'batches' },
    h('h2.hidden', undefined, 'Batches'),
    h(
      'section.panel',
      undefined,
      facts(
        fact('Calls', whole(batches.calls)),
        fact('Queries', whole(batches.batches)),
        fact('Calls of one query', perQuery(batches), 'On average.'),
        fact('Queries saved', whole(batches.calls - batches.batches)),
      ),
    ),
    table<Row>(context, {
      id: 'batches',
      caption: 'By entity',
      rows: Object.entries(batches.entities),
      key: ([entity]) => entity,
      text: ([entity]) => entity,
      sort: { column: 'calls', descending: true },
      empty: empty('No batches yet.', 'Entities whose calls were answered together are listed here.'),
      columns: [
        {
          id: 'entity',
          label: 'Entity',
          kind: 'wide',
          value: ([entity]) => entity,
          cell: ([entity]) => h('b', undefined, entity),
        },
        {
          id: 'calls',
          label: 'Calls',
          kind: 'number',
          value: ([, { calls }]) => calls,
          cell: ([, { calls }]) => whole(calls),
        },
        {
          id: 'queries',
          label: 'Queries',
          kind: 'number',
          value: ([, counts]) => counts.batches,
          cell: ([, counts]) => whole(counts.batches),
        },
        {
          id: 'size',
          label: 'Calls of one query',
          kind: 'number',
          value: ([, counts]) => counts.calls / Math.max(1, counts.batches),
          cell: ([, counts]) => perQuery(counts),
        },
      ],
    }),
  );
}

function perQuery({ calls, batches }: { readonly calls: number; readonly batches: number }): string {
  return batches > 0 ? short(Math.round((calls / batches) * 10) / 10) : '–';
}
