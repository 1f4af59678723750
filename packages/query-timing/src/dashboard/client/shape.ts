import { bytes, duration, percent, short, whole } from '../../report/format.ts';
import type { RecordData, ShapeData } from '../../report/json.ts';
import type { ServerStatistics } from '../../timing-report.ts';
import { ago, clock } from './ago.ts';
import { backBar } from './back-bar.ts';
import { findingCards } from './findings.ts';
import { hashOf } from './location.ts';
import { badge, copyButton, empty, fact, facts, legend, siteButton, splitBar, splitText } from './parts.ts';
import { distribution } from './spark.ts';
import { sqlBlock } from './sql.ts';
import type { Context } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** One shape: its text, how long its calls took, its worst ones, and what the server says of it. */
export function shapeView(context: Context, id: string): VNode {
  const { state, report, act } = context;
  const shape = report.shapes.find(each => each.id === id);
  if (!shape) {
    return h(
      'div',
      { key: `shape ${id}` },
      backBar(context, 'shapes', undefined),
      empty('This shape is not kept any more.', 'The most costly ones are. Look at the list.'),
    );
  }
  return h(
    'div.detail',
    { key: `shape ${id}` },
    backBar(
      context,
      'shapes',
      id,
      report.shapes.map(each => each.id),
    ),
    h(
      'h2.title',
      { attributes: { tabindex: -1, 'data-focus': 'detail' } },
      shape.summary || shape.kind,
      ' ',
      shape.entity !== undefined && badge([shape.entity, shape.operation].filter(Boolean).join('.')),
    ),
    h(
      'div.places',
      undefined,
      siteButton(state, act, `shape ${id}`, shape.site),
      copyButton(state, act, `sql ${id}`, 'Copy the SQL', shape.text),
      shape.plan !== undefined &&
        report.plans.some(plan => plan.id === shape.plan) &&
        h('a.button', { attributes: { href: hashOf('plans', shape.plan) } }, 'Its plan'),
    ),
    sqlBlock(shape.text),
    h(
      'div.columns-2',
      undefined,
      h(
        'section.panel',
        undefined,
        h('h3', undefined, 'Calls'),
        facts(
          fact('Of all time', percent(shape.took / Math.max(1, report.totals.took))),
          fact('Together', duration(shape.took)),
          fact('Calls', whole(shape.calls)),
          fact('Rows', short(shape.rows)),
          fact('Failed', shape.errors > 0 ? h('b.error', undefined, whole(shape.errors)) : '0'),
          fact('Last', ago(shape.lastSeen, report.at)),
        ),
        splitBar(shape),
        legend(shape),
      ),
      h(
        'section.panel',
        undefined,
        h('h3', undefined, 'Spread of their times'),
        distribution(shape.histogram, [
          ['p50', shape.p50],
          ['p95', shape.p95],
          ['p99', shape.p99],
        ]),
        facts(
          fact('p50', duration(shape.p50)),
          fact('p95', duration(shape.p95)),
          fact('p99', duration(shape.p99)),
          fact('Longest', duration(shape.max)),
        ),
      ),
    ),
    findingCards(
      context,
      report.findings.filter(each => each.shape === id),
    ),
    worst(context, shape),
    shape.server && server(shape, shape.server),
  );
}

function worst({ state, act, report }: Context, shape: ShapeData): VNode | false {
  return (
    shape.worst.length > 0 &&
    h(
      'section.panel',
      undefined,
      h('h3', undefined, 'Its slowest calls'),
      h(
        'div.scroll',
        undefined,
        h(
          'table',
          undefined,
          h('caption', undefined, 'Its slowest calls'),
          h(
            'thead',
            undefined,
            h(
              'tr',
              undefined,
              ['Took', 'Wait · send · database · hydrate', 'Rows', 'At', 'In', 'Called from'].map((label, index) =>
                h(index === 0 || index === 2 ? 'th.number' : 'th', { attributes: { scope: 'col' } }, label),
              ),
            ),
          ),
          h(
            'tbody',
            undefined,
            shape.worst.map((record: RecordData) => {
              const scope = report.scopes.find(each => each.id === record.scope);
              return h(
                record.error === undefined ? 'tr' : 'tr.bad',
                { key: record.id },
                h('td.number', undefined, duration(record.took)),
                h(
                  'td.chart',
                  undefined,
                  h('span.track', undefined, splitBar(record)),
                  h('span.hidden', undefined, splitText(record)),
                ),
                h(
                  'td.number',
                  undefined,
                  record.error === undefined ? whole(record.rows) : badge(record.error, 'error'),
                ),
                h('td', undefined, clock(record.start)),
                h(
                  'td',
                  undefined,
                  scope ? h('a', { attributes: { href: hashOf('requests', scope.id) } }, scope.name) : '–',
                ),
                h(
                  'td',
                  undefined,
                  siteButton(state, act, `worst ${record.id}`, record.site) ?? '–',
                  record.parameters &&
                    record.parameters.length > 0 &&
                    h('span.parameters', undefined, record.parameters.join(', ')),
                ),
              );
            }),
          ),
        ),
      ),
    )
  );
}

/** Beside what the client saw: the difference is the network, the pool and this process. */
function server(shape: ShapeData, it: ServerStatistics): VNode {
  const here = shape.calls > 0 ? shape.took / shape.calls : undefined;
  const read = it.sharedHit + it.sharedRead;
  return h(
    'section.panel',
    undefined,
    h('h3', undefined, 'What the server says (pg_stat_statements)'),
    facts(
      fact('Mean there', duration(it.meanTime * 1000), 'Execution on the server, of all its clients.'),
      fact('Mean here', duration(here), 'As this process saw it: pool, network, decoding and hydration included.'),
      fact('Longest there', duration(it.maxTime * 1000)),
      fact('Calls there', short(it.calls), 'Of all clients, since its statistics were reset.'),
      fact('Rows there', short(it.rows)),
      fact('From memory', read > 0 ? percent(it.sharedHit / read) : '–', 'Blocks found in shared buffers.'),
      fact('Blocks read', short(it.sharedRead)),
      fact('Temporary blocks', short(it.tempWritten), 'Written because work_mem was too small.'),
      fact('WAL', bytes(it.wal)),
      fact('Query id', it.queryId),
    ),
  );
}
