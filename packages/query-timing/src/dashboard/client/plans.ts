import { duration, short } from '../../report/format.ts';
import type { PlanReport } from '../../timing-report.ts';
import { ago } from './ago.ts';
import { hashOf } from './location.ts';
import { badge, empty } from './parts.ts';
import { planRows } from './plan-numbers.ts';
import { sqlLine } from './sql.ts';
import type { Context } from './state.ts';
import { table } from './table.ts';
import { h, type VNode } from './vnode.ts';

/** Plans that were got, the newest first. */
export function plansView(context: Context): VNode {
  const { report, act } = context;
  return h(
    'div',
    { key: 'plans' },
    h('h2.hidden', undefined, 'Plans'),
    table<PlanReport>(context, {
      id: 'plans',
      caption: 'Plans of slow statements',
      rows: report.plans,
      key: plan => plan.id,
      text: plan => `${plan.text} ${plan.source} ${plan.root.type}`,
      open: plan => act.go('plans', plan.id),
      sort: { column: 'at', descending: true },
      empty: empty(
        'No plans yet.',
        'A slow read is explained by and by, at most a few in a minute. Where auto_explain is granted, the plan of the slow execution itself is shown:',
        'grant set on parameter auto_explain.log_min_duration to app;',
      ),
      columns: [
        {
          id: 'statement',
          label: 'Statement',
          kind: 'wide',
          value: plan => plan.text,
          cell: plan => [
            h(
              'a.name',
              { attributes: { href: hashOf('plans', plan.id), 'data-focus': `plans/${plan.id}` } },
              report.shapes.find(shape => shape.id === plan.id)?.summary ?? plan.root.type,
            ),
            badge(sources[plan.source].label, '', sources[plan.source].hint),
            remarks(plan) > 0 && badge(`${remarks(plan)} remarks`, 'warning'),
            h('span.second', undefined, sqlLine(plan.text)),
          ],
        },
        {
          id: 'execution',
          label: 'Took',
          hint: 'Execution on the server, where it was run.',
          kind: 'number',
          value: plan => plan.execution,
          cell: plan => (plan.execution === undefined ? '–' : duration(plan.execution * 1000)),
        },
        {
          id: 'cost',
          label: 'Cost',
          hint: "In PostgreSQL's own units.",
          kind: 'number',
          rank: 2,
          value: plan => plan.root.totalCost,
          cell: plan => short(plan.root.totalCost),
        },
        {
          id: 'worst',
          label: 'Most of it in',
          kind: 'short',
          rank: 2,
          cell: plan => {
            const worst = planRows(plan.root, () => false).reduce((most, row) => (row.own > most.own ? row : most));
            return `${worst.node.type}${worst.node.relation === undefined ? '' : ` on ${worst.node.relation}`}`;
          },
        },
        {
          id: 'at',
          label: 'At',
          kind: 'number',
          rank: 3,
          value: plan => plan.at,
          cell: plan => ago(plan.at, report.at),
        },
      ],
    }),
  );
}

/** How a plan was got. */
export const sources: Readonly<Record<PlanReport['source'], { label: string; hint: string }>> = {
  auto_explain: { label: 'auto_explain', hint: 'The plan of the slow execution itself.' },
  explain: { label: 'explain', hint: 'What the server would do; it was not run.' },
  generic: { label: 'generic plan', hint: 'What the server would do whatever the values; it was not run.' },
  analyze: { label: 'explain analyze', hint: 'It was run once more.' },
};

function remarks({ root }: PlanReport): number {
  return planRows(root, () => false).reduce((sum, { node }) => sum + node.remarks.length, 0);
}
