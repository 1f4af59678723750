import { duration, percent, short, whole } from '../../report/format.ts';
import type { PlanNode, PlanReport } from '../../timing-report.ts';
import { ago } from './ago.ts';
import { backBar } from './back-bar.ts';
import { findingCards } from './findings.ts';
import { hashOf } from './location.ts';
import { badge, copyButton, empty, fact, facts } from './parts.ts';
import { type PlanRow, planRows } from './plan-numbers.ts';
import { sources } from './plans.ts';
import { sqlBlock } from './sql.ts';
import type { Context } from './state.ts';
import { h, type VNode } from './vnode.ts';

/** One plan as a tree in a grid: where the time goes, where the estimate was wrong, what was read for nothing. */
export function planView(context: Context, id: string): VNode {
  const { state, report, act } = context;
  const plan = report.plans.find(each => each.id === id);
  if (!plan) {
    return h(
      'div',
      { key: `plan ${id}` },
      backBar(context, 'plans', undefined),
      empty('This plan is not kept any more.', 'The newest ones are. Look at the list.'),
    );
  }
  const shape = report.shapes.find(each => each.id === id);
  return h(
    'div.detail',
    { key: `plan ${id}` },
    backBar(
      context,
      'plans',
      id,
      report.plans.map(each => each.id),
    ),
    h(
      'h2.title',
      { attributes: { tabindex: -1, 'data-focus': 'detail' } },
      `Plan of ${shape?.summary ?? plan.root.type}`,
      ' ',
      badge(sources[plan.source].label, '', sources[plan.source].hint),
    ),
    h(
      'div.panel',
      undefined,
      facts(
        plan.execution !== undefined && fact('Execution', duration(plan.execution * 1000)),
        plan.planning !== undefined && fact('Planning', duration(plan.planning * 1000)),
        fact('Cost', short(plan.root.totalCost), "In PostgreSQL's own units."),
        fact('Rows', short(plan.root.actualRows ?? plan.root.planRows)),
        fact('Got', ago(plan.at, report.at)),
        plan.queryId !== undefined && fact('Query id', plan.queryId),
      ),
      h('p.muted', undefined, `${sources[plan.source].hint} Values in it are masked.`),
    ),
    h(
      'div.places',
      undefined,
      copyButton(state, act, `plan ${id}`, 'Copy the raw JSON for explain.dalibo.com', plan.raw),
      shape && h('a.button', { attributes: { href: hashOf('shapes', shape.id) } }, 'Its shape'),
    ),
    tree(context, plan),
    findingCards(
      context,
      report.findings.filter(finding => plan.findings.includes(finding.id)),
    ),
    sqlBlock(plan.text),
  );
}

function tree({ state, act }: Context, plan: PlanReport): VNode {
  const rows = planRows(plan.root, path => state.folded.has(`${plan.id} ${path}`));
  const wasRun = plan.root.actualTime !== undefined;
  const buffers = rows.some(({ node }) => node.sharedHit !== undefined || node.sharedRead !== undefined);
  const worst = rows.reduce((most, { own }) => Math.max(most, own), 0);
  return h(
    'div.scroll',
    { attributes: { tabindex: 0, role: 'region', 'aria-label': 'Nodes of the plan' } },
    h(
      'table.plan',
      undefined,
      h('caption', undefined, 'Nodes of the plan, each above those it reads from'),
      h(
        'thead',
        undefined,
        h(
          'tr',
          undefined,
          h('th.wide', { attributes: { scope: 'col' } }, 'Node'),
          h(
            'th.number',
            {
              attributes: {
                scope: 'col',
                title: wasRun ? 'without its children' : 'without its children, in cost units',
              },
            },
            wasRun ? 'Own time' : 'Own cost',
          ),
          h('th.number.rank-2', { attributes: { scope: 'col', title: 'with its children' } }, wasRun ? 'Time' : 'Cost'),
          h('th.number', { attributes: { scope: 'col', title: 'estimated and, where it was run, actual' } }, 'Rows'),
          h(
            'th.number.rank-2',
            { attributes: { scope: 'col', title: 'read, and thrown away by a filter' } },
            'Removed',
          ),
          buffers &&
            h(
              'th.number.rank-3',
              { attributes: { scope: 'col', title: 'blocks from memory, and read' } },
              'Hit · read',
            ),
        ),
      ),
      h(
        'tbody',
        undefined,
        rows
          .filter(row => !row.hidden)
          .map(row =>
            h(
              row.own === worst && worst > 0 ? 'tr.worst' : 'tr',
              { key: row.path, attributes: { 'aria-level': row.depth + 1 } },
              nameCell(row, state.folded.has(`${plan.id} ${row.path}`), () =>
                act.set({ folded: toggled(state.folded, `${plan.id} ${row.path}`) }),
              ),
              h(
                'td.number',
                undefined,
                h('span.heat', {
                  style: { width: `${(row.share * 100).toFixed(1)}%` },
                  attributes: { 'aria-hidden': 'true' },
                }),
                h(
                  'span',
                  { attributes: { title: `${percent(row.share)} of the plan` } },
                  wasRun ? duration(row.own * 1000) : short(Math.round(row.own * 100) / 100),
                ),
              ),
              h(
                'td.number.rank-2',
                undefined,
                wasRun ? duration(times(row.node.actualTime, 1000)) : short(row.node.totalCost),
              ),
              rowsCell(row),
              h(
                'td.number.rank-2',
                undefined,
                row.node.removedByFilter === undefined ? '' : short(row.node.removedByFilter),
              ),
              buffers &&
                h(
                  'td.number.rank-3',
                  undefined,
                  `${short(row.node.sharedHit ?? 0)} · ${short(row.node.sharedRead ?? 0)}`,
                ),
            ),
          ),
      ),
    ),
  );
}

function nameCell({ node, depth }: PlanRow, folded: boolean, fold: () => void): VNode {
  return h(
    'td.wide',
    { style: { '--depth': String(Math.min(depth, 12)) } },
    h(
      'div.node',
      undefined,
      h(
        'div.node-head',
        undefined,
        node.children.length > 0
          ? h(
              'button.fold',
              {
                on: { click: fold },
                attributes: {
                  type: 'button',
                  'aria-expanded': String(!folded),
                  'aria-label': `${folded ? 'Show' : 'Hide'} what ${node.type} reads from`,
                },
              },
              folded ? '▸' : '▾',
            )
          : h('span.leaf', { attributes: { 'aria-hidden': 'true' } }, '·'),
        h('b', undefined, node.type),
        node.relation !== undefined && h('span', undefined, 'on ', h('code', undefined, nameOf(node))),
        node.index !== undefined && h('span', undefined, 'by ', h('code', undefined, node.index)),
        node.loops !== undefined &&
          node.loops > 1 &&
          badge(`${whole(node.loops)} loops`, node.loops >= 1000 ? 'warning' : ''),
      ),
      node.remarks.map(remark => h('p.remark', undefined, remark)),
      node.details.length > 0 &&
        h(
          'dl.node-details',
          undefined,
          node.details
            .map(([name, value]) => [h('dt', undefined, name), h('dd', undefined, h('code', undefined, value))])
            .flat(),
        ),
    ),
  );
}

function nameOf({ relation, alias }: PlanNode): string {
  return alias === undefined || alias === relation ? (relation ?? '') : `${relation} ${alias}`;
}

function rowsCell({ node, misjudged }: PlanRow): VNode {
  if (misjudged === undefined) {
    return h('td.number', undefined, `est. ${short(node.planRows)}`);
  }
  const factor = Math.abs(misjudged);
  return h(
    'td.number',
    undefined,
    short(node.actualRows ?? 0),
    factor >= 2 &&
      h(
        factor >= 10 ? 'span.badge.warning' : 'span.badge',
        { attributes: { title: `${short(node.planRows)} were estimated.` } },
        `${misjudged > 0 ? '↑' : '↓'} ${short(Math.round(factor))}×`,
      ),
    factor < 2 && h('span.muted', { attributes: { title: 'estimated' } }, ` est. ${short(node.planRows)}`),
  );
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

function toggled(set: ReadonlySet<string>, value: string): ReadonlySet<string> {
  const changed = new Set(set);
  return changed.delete(value) ? changed : changed.add(value);
}
