import { percent, whole } from '../../report/format.ts';
import type { CacheReport } from '../../timing-report.ts';
import { countList } from './counts.ts';
import { empty, fact, facts, shareBar } from './parts.ts';
import type { Context } from './state.ts';
import { table } from './table.ts';
import { h, type VNode } from './vnode.ts';

type Row = readonly [entity: string, counts: CacheReport['entities'][string]];

/** What the result cache answered, and why it did not. */
export function cacheView(context: Context): VNode {
  const { cache } = context.report;
  if (!cache) {
    return h('div', { key: 'cache' }, empty('No cache.', 'It is seen as soon as @mikrokit/result-cache is there.'));
  }
  const asked = cache.hits + cache.misses + cache.bypasses;
  return h(
    'div.stack',
    { key: 'cache' },
    h('h2.hidden', undefined, 'Cache'),
    h(
      'section.panel',
      undefined,
      facts(
        fact('Hits', whole(cache.hits)),
        fact('Of all', percent(asked > 0 ? cache.hits / asked : undefined)),
        fact('Misses', whole(cache.misses)),
        fact('Bypasses', whole(cache.bypasses), 'Reads that the cache must not answer.'),
        fact('Fills', whole(cache.fills)),
        fact('Invalidations', whole(cache.invalidations)),
        fact('Errors', cache.errors > 0 ? h('b.error', undefined, whole(cache.errors)) : '0'),
      ),
    ),
    table<Row>(context, {
      id: 'cache',
      caption: 'By entity',
      rows: Object.entries(cache.entities),
      key: ([entity]) => entity,
      text: ([entity]) => entity,
      sort: { column: 'asked', descending: true },
      empty: empty('No reads yet.', 'Entities that the cache was asked for are listed here.'),
      columns: [
        {
          id: 'entity',
          label: 'Entity',
          kind: 'wide',
          value: ([entity]) => entity,
          cell: ([entity]) => h('b', undefined, entity),
        },
        {
          id: 'rate',
          label: 'Hit rate',
          kind: 'share',
          value: row => row[1].hits / Math.max(1, askedOf(row)),
          cell: row => shareBar(row[1].hits / Math.max(1, askedOf(row))),
        },
        { id: 'asked', label: 'Asked', kind: 'number', rank: 2, value: askedOf, cell: row => whole(askedOf(row)) },
        {
          id: 'hits',
          label: 'Hits',
          kind: 'number',
          value: ([, { hits }]) => hits,
          cell: ([, { hits }]) => whole(hits),
        },
        {
          id: 'misses',
          label: 'Misses',
          kind: 'number',
          value: ([, { misses }]) => misses,
          cell: ([, { misses }]) => whole(misses),
        },
        {
          id: 'bypasses',
          label: 'Bypasses',
          kind: 'number',
          rank: 2,
          value: ([, { bypasses }]) => bypasses,
          cell: ([, { bypasses }]) => whole(bypasses),
        },
      ],
    }),
    h('div.columns-2', undefined, panelOf(countList('Why it did not answer', cache.reasons))),
  );
}

function askedOf([, { hits, misses, bypasses }]: Row): number {
  return hits + misses + bypasses;
}

function panelOf(list: VNode | undefined): VNode | undefined {
  return list && h('section.panel', undefined, list);
}
