import { percent, whole } from '../../report/format.ts';
import { shareBar } from './parts.ts';
import { h, type VNode } from './vnode.ts';

/** Reasons and how often each, the most frequent first. */
export function countList(caption: string, counts: Readonly<Record<string, number>>): VNode | undefined {
  const all = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  const sum = all.reduce((total, [, count]) => total + count, 0);
  if (all.length === 0) {
    return undefined;
  }
  return h(
    'table.counts',
    undefined,
    h('caption.shown', undefined, caption),
    h(
      'tbody',
      undefined,
      all.map(([name, count]) =>
        h(
          'tr',
          { key: name },
          h('th', { attributes: { scope: 'row' } }, name),
          h('td.number', undefined, whole(count)),
          h('td.number', { attributes: { title: percent(count / sum) } }, shareBar(count / sum)),
        ),
      ),
    ),
  );
}
