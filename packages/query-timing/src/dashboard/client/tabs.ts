/// <reference lib="dom" />
import type { ReportData } from '../../report/json.ts';
import { short } from '../../report/format.ts';
import { labels } from './back-bar.ts';
import { type View, views } from './location.ts';
import type { Actions, State } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** Views that there is something to show in. */
export function tabsOf(report: ReportData, current: View): readonly View[] {
  const there: Partial<Record<View, boolean>> = {
    nodes: report.nodes.length > 0,
    cache: report.cache !== undefined,
    batches: report.batches !== undefined,
  };
  return views.filter(view => view === current || (there[view] ?? true));
}

/** One of them is chosen, and it alone is reached by Tab; arrows, Home and End choose another (ARIA's pattern for tabs). */
export function tabBar(state: State, report: ReportData, act: Actions): VNode {
  const { view: current } = state.place;
  const tabs = tabsOf(report, current);
  const counts: Partial<Record<View, number>> = {
    findings: report.findings.length,
    requests: report.scopes.length,
    shapes: report.shapes.length,
    plans: report.plans.length,
  };
  return h(
    'div.tabs',
    {
      key: 'tabs',
      attributes: { role: 'tablist', 'aria-label': 'Views' },
      on: {
        keydown: event => {
          const to = neighbour(tabs, current, (event as KeyboardEvent).key);
          if (to !== undefined) {
            event.preventDefault();
            act.go(to);
            document.getElementById(`tab-${to}`)?.focus();
          }
        },
      },
    },
    tabs.map(view =>
      h(
        'button.tab',
        {
          key: view,
          on: { click: () => act.go(view) },
          attributes: {
            type: 'button',
            id: `tab-${view}`,
            role: 'tab',
            'aria-selected': String(view === current),
            'aria-controls': 'panel',
            tabindex: view === current ? 0 : -1,
          },
        },
        labels[view],
        ' ',
        counts[view] !== undefined && h('span.count', undefined, short(counts[view])),
      ),
    ),
  );
}

function neighbour(tabs: readonly View[], current: View, key: string): View | undefined {
  const index = tabs.indexOf(current);
  switch (key) {
    case 'ArrowRight':
      return tabs[(index + 1) % tabs.length];
    case 'ArrowLeft':
      return tabs[(index - 1 + tabs.length) % tabs.length];
    case 'Home':
      return tabs[0];
    case 'End':
      return tabs.at(-1);
    default:
      return undefined;
  }
}
