import { duration, whole } from '../../report/format.ts';
import type { NodeReport } from '../../timing-report.ts';
import { countList } from './counts.ts';
import { badge, empty, shareBar } from './parts.ts';
import type { Context } from './state.ts';
import { table } from './table.ts';
import { h, type VNode } from './vnode.ts';

/** Servers, and why queries went there. */
export function nodesView(context: Context): VNode {
  const { report } = context;
  const all = report.nodes.reduce((sum, { queries }) => sum + queries, 0);
  return h(
    'div.stack',
    { key: 'nodes' },
    h('h2.hidden', undefined, 'Nodes'),
    table<NodeReport>(context, {
      id: 'nodes',
      caption: 'Servers',
      rows: report.nodes,
      key: node => node.name,
      text: node => `${node.name} ${node.role ?? ''} ${Object.keys(node.reasons).join(' ')}`,
      empty: empty('One server only.', 'With replicas each server has its row here.'),
      columns: [
        {
          id: 'name',
          label: 'Node',
          kind: 'wide',
          value: node => node.name,
          cell: node => [
            h('b', undefined, node.name),
            node.role !== undefined && badge(node.role, node.role === 'replica' ? 'good' : ''),
          ],
        },
        {
          id: 'queries',
          label: 'Queries',
          kind: 'number',
          value: node => node.queries,
          cell: node => whole(node.queries),
        },
        {
          id: 'share',
          label: 'Of all',
          kind: 'share',
          rank: 2,
          value: node => node.queries,
          cell: node => shareBar(all > 0 ? node.queries / all : 0),
        },
        { id: 'p50', label: 'p50', kind: 'number', value: node => node.p50, cell: node => duration(node.p50) },
        { id: 'p95', label: 'p95', kind: 'number', value: node => node.p95, cell: node => duration(node.p95) },
        {
          id: 'took',
          label: 'Together',
          kind: 'number',
          rank: 3,
          value: node => node.took,
          cell: node => duration(node.took),
        },
        {
          id: 'errors',
          label: 'Errors',
          kind: 'number',
          rank: 2,
          value: node => node.errors,
          cell: node => whole(node.errors),
        },
      ],
    }),
    h(
      'div.columns-2',
      undefined,
      report.nodes.map(node => {
        const list = countList(`Why queries went to ${node.name}`, node.reasons);
        return list && h('section.panel', { key: node.name }, list);
      }),
    ),
  );
}
