import { duration, whole } from '../../report/format.ts';
import type { PoolReport, SecondReport } from '../../timing-report.ts';
import { clock } from './ago.ts';
import { lineChart } from './line-chart.ts';
import { badge, empty, fact, facts, siteButton } from './parts.ts';
import { everySecond } from './seconds.ts';
import type { Context } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** How many seconds are shown. */
const SECONDS = 120;

/** Connections: who has them, who waits, and how that was in the last seconds. */
export function poolView(context: Context): VNode {
  const { report } = context;
  if (report.pools.length === 0) {
    return h(
      'div',
      { key: 'pool' },
      empty('No pool yet.', 'It is seen as soon as the ORM has made its first connection.'),
    );
  }
  const seconds = everySecond(report.seconds, report.at, SECONDS);
  const most = report.pools.reduce((sum, { max }) => sum + (max ?? 0), 0);
  return h(
    'div.pool',
    { key: 'pool' },
    h('h2.hidden', undefined, 'Pool'),
    h(
      'section.panel',
      undefined,
      h('h3', undefined, `Connections in the last ${SECONDS} s`),
      lineChart(
        `Connections used and queries waiting for one in the last ${SECONDS} seconds`,
        [
          { label: 'used', color: 'database', area: true, values: seconds.map(({ used }) => used) },
          { label: 'waiting', color: 'wait', area: true, values: seconds.map(({ waiting }) => waiting) },
        ],
        most,
      ),
      most > 0 && h('p.muted', undefined, `The dashed line is the most there may be: ${whole(most)}.`),
      twin(seconds),
    ),
    report.pools.map(pool => poolPanel(context, pool)),
  );
}

function poolPanel({ state, act, report }: Context, pool: PoolReport): VNode {
  const { max, used, idle, waiting } = pool;
  return h(
    'section.panel',
    { key: pool.name, attributes: { 'aria-label': `Pool ${pool.name}` } },
    h('h3', undefined, pool.name, ' ', pool.role !== undefined && badge(pool.role)),
    h(
      'div.gauge',
      {
        attributes: {
          role: 'img',
          'aria-label': `${used} used, ${idle} idle, ${waiting} waiting${max === undefined ? '' : `, at most ${max}`}`,
        },
      },
      slots(used, 'used'),
      slots(idle, 'idle'),
      max !== undefined && slots(max - used - idle, 'free'),
      slots(waiting, 'waiting'),
    ),
    facts(
      fact('Used', whole(used)),
      fact('Idle', whole(idle)),
      fact('Waiting', waiting > 0 ? h('b.error', undefined, whole(waiting)) : '0'),
      max !== undefined && fact('At most', whole(max)),
      fact('Wait p50', duration(pool.waitP50)),
      fact('Wait p95', duration(pool.waitP95), '95 of 100 queries got a connection at least as fast.'),
      fact('Longest wait', duration(pool.waitMax)),
      fact('Held p95', duration(pool.useP95), '95 of 100 times a connection was given back at least as fast.'),
      fact('Acquired', whole(pool.acquired)),
      fact('Made', whole(pool.created)),
      fact('Time-outs', pool.timeouts > 0 ? h('b.error', undefined, whole(pool.timeouts)) : '0'),
    ),
    pool.holders.length === 0
      ? h('p.muted', undefined, 'Nobody holds a connection now.')
      : h(
          'div.scroll',
          undefined,
          h(
            'table',
            undefined,
            h('caption', undefined, 'Who holds a connection now, the longest first'),
            h(
              'thead',
              undefined,
              h(
                'tr',
                undefined,
                h('th.number', { attributes: { scope: 'col' } }, 'For'),
                ['In', 'Last query', 'Called from'].map(label => h('th', { attributes: { scope: 'col' } }, label)),
              ),
            ),
            h(
              'tbody',
              undefined,
              pool.holders.map((holder, index) =>
                h(
                  'tr',
                  undefined,
                  h('td.number', undefined, duration(Math.max(0, report.at - holder.since) * 1000)),
                  h('td', undefined, holder.scope ?? '–'),
                  h('td', undefined, holder.summary),
                  h('td', undefined, siteButton(state, act, `holder ${pool.name} ${index}`, holder.site) ?? '–'),
                ),
              ),
            ),
          ),
        ),
  );
}

/** A connection is a square; of very many, as many as have room. */
function slots(count: number, kind: string): readonly VNode[] {
  return Array.from({ length: Math.min(100, Math.max(0, count)) }, () =>
    h(`i.slot.${kind}`, { attributes: { title: kind } }),
  );
}

function twin(seconds: readonly SecondReport[]): VNode {
  const busy = seconds.filter(({ queries, used, waiting }) => queries + used + waiting > 0).slice(-60);
  return h(
    'details',
    undefined,
    h('summary', undefined, 'The same as a table'),
    busy.length === 0
      ? h('p.muted', undefined, 'There were no queries in that time.')
      : h(
          'div.scroll',
          undefined,
          h(
            'table',
            undefined,
            h('caption', undefined, 'Seconds with queries'),
            h(
              'thead',
              undefined,
              h(
                'tr',
                undefined,
                ['Second', 'Used', 'Waiting', 'Queries', 'Time in SQL', 'Wait'].map(label =>
                  h('th.number', { attributes: { scope: 'col' } }, label),
                ),
              ),
            ),
            h(
              'tbody',
              undefined,
              busy.toReversed().map(each =>
                h(
                  'tr',
                  { key: each.second },
                  [
                    clock(each.second * 1000),
                    whole(each.used),
                    whole(each.waiting),
                    whole(each.queries),
                    duration(each.took),
                    duration(each.wait),
                  ].map(text => h('td.number', undefined, text)),
                ),
              ),
            ),
          ),
        ),
  );
}
