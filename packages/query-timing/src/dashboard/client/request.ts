import { duration, percent, whole } from '../../report/format.ts';
import type { ScopeSummary } from '../../report/json.ts';
import { backBar } from './back-bar.ts';
import { findingCards } from './findings.ts';
import { badge, empty, fact, facts, legend, plural, splitSum } from './parts.ts';
import type { Context } from './state.ts';
import { h, type VNode } from './vnode.ts';
import { waterfall } from './waterfall.ts';

/** One request: what its queries cost, what was found, and each of them in time. */
export function requestView(context: Context, id: string): VNode {
  const { state, report } = context;
  const summary = report.scopes.find(scope => String(scope.id) === id);
  const kept = state.scopes.get(Number(id));
  if (!summary) {
    return h(
      'div',
      { key: `request ${id}` },
      backBar(context, 'requests', undefined),
      empty('This request is gone.', 'Only the newest ones are kept. Call it again, and look at the list.'),
    );
  }
  return h(
    'div.detail',
    { key: `request ${id}` },
    backBar(
      context,
      'requests',
      id,
      report.scopes.map(scope => String(scope.id)),
    ),
    h(
      'h2.title',
      { attributes: { tabindex: -1, 'data-focus': 'detail' } },
      summary.name || '(no name)',
      ' ',
      badge(summary.kind),
      ' ',
      summary.open && badge('running', 'info'),
    ),
    summaryFacts(summary),
    kept === 'gone'
      ? empty('Its queries are gone.', 'Records of the newest requests alone are kept. Call it again.')
      : kept === undefined
        ? h('p.loading', { attributes: { role: 'status' } }, 'Reading its queries …')
        : h('div', { key: 'kept' }, findingCards(context, kept.findings), waterfall(context, kept)),
  );
}

function summaryFacts(scope: ScopeSummary): VNode {
  const sum = splitSum(scope);
  return h(
    'div.panel',
    undefined,
    facts(
      fact('Took', duration(scope.took)),
      fact('In SQL', duration(sum), 'Time of its queries together; they may have run beside each other.'),
      scope.took > 0 && fact('Share', percent(sum / scope.took), 'Time in SQL as a share of the whole request.'),
      fact('Queries', whole(scope.queries)),
      fact('Different', plural(scope.shapes, 'shape')),
      fact('Rows', whole(scope.rows)),
      scope.errors > 0 && fact('Failed', h('b.error', undefined, whole(scope.errors))),
    ),
    legend(scope),
  );
}
