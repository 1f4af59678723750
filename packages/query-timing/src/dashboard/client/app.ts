import { batchesView } from './batches.ts';
import { cacheView } from './cache.ts';
import { costView } from './cost.ts';
import { findingsView } from './findings.ts';
import { footer, header, totalsStrip } from './header.ts';
import type { View } from './location.ts';
import { nodesView } from './nodes.ts';
import { planView } from './plan.ts';
import { plansView } from './plans.ts';
import { poolView } from './pool.ts';
import { requestView } from './request.ts';
import { requestsView } from './requests.ts';
import { shapeView } from './shape.ts';
import { shapesView } from './shapes.ts';
import type { Actions, Context, State } from './state.ts';
import { tabBar } from './tabs.ts';
import { h, type VNode } from './vnode.ts';

const lists: Readonly<Record<View, (context: Context) => VNode>> = {
  findings: findingsView,
  requests: requestsView,
  shapes: shapesView,
  plans: plansView,
  pool: poolView,
  nodes: nodesView,
  cache: cacheView,
  batches: batchesView,
  cost: costView,
};

const details: Partial<Readonly<Record<View, (context: Context, id: string) => VNode>>> = {
  requests: requestView,
  shapes: shapeView,
  plans: planView,
};

/** The whole page. Pure. @param base URL of the page */
export function app(state: State, act: Actions, base: string): VNode {
  const { report, place } = state;
  if (!report) {
    return h(
      'div.app',
      undefined,
      header(state, act, base),
      h('main', undefined, h('p.loading', { attributes: { role: 'status' } }, state.problem ?? 'Reading the report …')),
    );
  }
  const context: Context = { state, report, act };
  const detail = place.id === undefined ? undefined : details[place.view]?.(context, place.id);
  return h(
    'div.app',
    undefined,
    header(state, act, base),
    h(
      'main',
      { key: 'main' },
      // One thing is looked at: the whole is a press away.
      !detail && totalsStrip(report),
      tabBar(state, report, act),
      h(
        'div.panel-of-tab',
        {
          key: 'panel',
          attributes: { id: 'panel', role: 'tabpanel', 'aria-labelledby': `tab-${place.view}` },
        },
        detail ?? lists[place.view](context),
      ),
    ),
    footer(report, base),
  );
}
