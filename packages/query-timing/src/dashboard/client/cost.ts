import { bytes, duration, percent, whole } from '../../report/format.ts';
import { countList } from './counts.ts';
import { fact, facts } from './parts.ts';
import type { Context } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** What the timing itself costs, and what it left out. */
export function costView({ state, report }: Context): VNode {
  const { own, totals } = report;
  const dropped = countList('Left out, and why', own.dropped);
  return h(
    'div.columns-2',
    { key: 'cost' },
    h('h2.hidden', undefined, 'Own cost'),
    h(
      'section.panel',
      undefined,
      h('h3', undefined, 'Timing'),
      facts(
        fact(
          'For each query',
          duration(own.perQuery),
          'On a copy of the hot path, without a database; in a request, some times as much.',
        ),
        fact(
          'Of all time in SQL',
          percent(totals.took > 0 ? (own.perQuery * totals.queries) / totals.took : undefined),
        ),
        fact('Memory', bytes(own.memory), 'An estimate of what is kept.'),
        fact(
          'Failures',
          own.failures > 0 ? h('b.error', undefined, whole(own.failures)) : '0',
          'Of subscribers, pages and plans: never of a query.',
        ),
      ),
      h('p.muted', undefined, 'Nothing is asked of the application while no page is open.'),
    ),
    h(
      'section.panel',
      undefined,
      h('h3', undefined, 'This page'),
      facts(
        fact('Report read in', duration(state.read * 1000)),
        fact('Drawn in', duration(state.drawn * 1000)),
        fact('Findings', whole(report.findings.length)),
        fact('Shapes', whole(report.shapes.length)),
        fact('Requests', whole(report.scopes.length)),
        fact('Plans', whole(report.plans.length)),
      ),
    ),
    h(
      'section.panel',
      undefined,
      dropped ?? [h('h3', undefined, 'Left out'), h('p.muted', undefined, 'Nothing was left out.')],
    ),
  );
}
