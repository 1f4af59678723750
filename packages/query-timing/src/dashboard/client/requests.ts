import { clip, NAME } from '../../report/clip.ts';
import { kindNames } from '../../report/finding-kinds.ts';
import { duration, percent, whole } from '../../report/format.ts';
import type { ScopeSummary } from '../../report/json.ts';
import { clock } from './ago.ts';
import { hashOf } from './location.ts';
import { badge, empty, splitBar, splitSum } from './parts.ts';
import type { Context } from './state.ts';
import { table } from './table.ts';
import { h, type VNode } from './vnode.ts';

/** Requests and jobs, the newest first. */
export function requestsView(context: Context): VNode {
  const { report, act } = context;
  const longest = report.scopes.reduce((most, scope) => Math.max(most, splitSum(scope)), 1);
  return h(
    'div',
    { key: 'requests' },
    h('h2.hidden', undefined, 'Requests'),
    table<ScopeSummary>(context, {
      id: 'requests',
      caption: 'Requests and jobs',
      rows: report.scopes,
      key: scope => scope.id,
      text: scope =>
        `${scope.name} ${scope.kind} ${scope.findings.map(({ kind }) => kindNames[kind] ?? kind).join(' ')}`,
      open: scope => act.go('requests', scope.id),
      tone: scope => (scope.errors > 0 ? 'bad' : ''),
      empty: empty(
        'No requests yet.',
        'Give each request or job a scope, and this page shows its queries one beside the other:',
        "await timing.run('import books', () => importBooks());\n// or the middleware of @mikrokit/query-timing/http",
      ),
      columns: [
        {
          id: 'name',
          label: 'Request',
          kind: 'wide',
          value: scope => scope.name,
          cell: scope => [
            h(
              'a.name',
              { attributes: { href: hashOf('requests', scope.id), 'data-focus': `requests/${scope.id}` } },
              clip(scope.name, NAME) || '(no name)',
            ),
            scope.kind !== 'request' && badge(scope.kind),
            scope.open && badge('running', 'info'),
            scope.errors > 0 && badge(`${whole(scope.errors)} failed`, 'error'),
            ...scope.findings.map(({ kind, severity, title, id }) =>
              h(`span.badge.${severity}`, { key: id, attributes: { title } }, kindNames[kind] ?? kind),
            ),
          ],
        },
        {
          id: 'queries',
          label: 'Queries',
          kind: 'number',
          value: scope => scope.queries,
          cell: scope => whole(scope.queries),
        },
        {
          id: 'sql',
          label: 'In SQL',
          hint: 'Time of its queries together; they may have run beside each other.',
          kind: 'number',
          value: splitSum,
          cell: scope => duration(splitSum(scope)),
        },
        {
          id: 'split',
          label: 'Wait · send · database · hydrate',
          kind: 'split',
          rank: 2,
          cell: scope =>
            h(
              'span.track',
              undefined,
              h('span.length', { style: { width: `${(splitSum(scope) / longest) * 100}%` } }, splitBar(scope)),
            ),
        },
        {
          id: 'share',
          label: 'Share',
          hint: 'Time in SQL as a share of the whole request; above 100 % queries ran beside each other.',
          kind: 'number',
          rank: 3,
          value: scope => (scope.took > 0 ? splitSum(scope) / scope.took : undefined),
          cell: scope => (scope.took > 0 ? percent(splitSum(scope) / scope.took) : '–'),
        },
        {
          id: 'took',
          label: 'Took',
          kind: 'number',
          rank: 2,
          value: scope => scope.took,
          cell: scope => duration(scope.took),
        },
        {
          id: 'rows',
          label: 'Rows',
          kind: 'number',
          rank: 3,
          value: scope => scope.rows,
          cell: scope => whole(scope.rows),
        },
        {
          id: 'start',
          label: 'At',
          kind: 'number',
          rank: 3,
          value: scope => scope.start,
          cell: scope => h('time', { attributes: { title: new Date(scope.start).toISOString() } }, clock(scope.start)),
        },
      ],
    }),
  );
}
