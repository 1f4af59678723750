import { hashOf, type View } from './location.ts';
import type { Context } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** The way back to the list, and to its neighbours there. */
export function backBar({ act }: Context, view: View, id: string | undefined, ids: readonly string[] = []): VNode {
  const index = id === undefined ? -1 : ids.indexOf(id);
  const step = (label: string, title: string, to: string | undefined): VNode =>
    h(
      'button.small',
      {
        on: { click: () => void (to !== undefined && act.go(view, to)) },
        attributes: { type: 'button', disabled: to === undefined, title, 'aria-label': title },
      },
      label,
    );
  return h(
    'nav.back',
    { attributes: { 'aria-label': 'In this list' } },
    h('a', { attributes: { href: hashOf(view) } }, `← ${labels[view]}`),
    index >= 0 && step('↑', 'The one before', ids[index - 1]),
    index >= 0 && step('↓', 'The next one', ids[index + 1]),
  );
}

/** What the views are called. */
export const labels: Readonly<Record<View, string>> = {
  findings: 'Findings',
  requests: 'Requests',
  shapes: 'Shapes',
  plans: 'Plans',
  pool: 'Pool',
  nodes: 'Nodes',
  cache: 'Cache',
  batches: 'Batches',
  cost: 'Own cost',
};
