import type { CountedFinding, Finding } from '../../finding.ts';
import { kindNames, sentenceOf } from '../../report/finding-kinds.ts';
import { duration } from '../../report/format.ts';
import type { ReportData } from '../../report/json.ts';
import { ago } from './ago.ts';
import { hashOf, type View } from './location.ts';
import { badge, copyButton, empty, plural, siteButton } from './parts.ts';
import { sqlBlock, sqlLine } from './sql.ts';
import { type Context, FINDINGS, type State } from './state.ts';
import { matching, more, nothingFound } from './table.ts';
import { h, type VNode } from './vnode.ts';

/** What is worth changing, the most costly first. */
export function findingsView(context: Context): VNode {
  const { state, report, act } = context;
  if (report.findings.length === 0) {
    return h('div', { key: 'findings' }, nothingYet(report));
  }
  const ofKind = state.kind === undefined ? report.findings : report.findings.filter(({ kind }) => kind === state.kind);
  const found = matching(ofKind, state.search, findingText);
  const { shown } = state;
  return h(
    'div.findings',
    { key: 'findings' },
    h('h2.hidden', undefined, 'Findings'),
    kindFilter(context),
    found.length === 0
      ? nothingFound(context)
      : h(
          'ol.cards',
          undefined,
          found.slice(0, shown).map(each => h('li', { key: each.id }, card(context, each, each))),
        ),
    found.length > shown && more(shown, found.length, () => act.set({ shown: shown + FINDINGS })),
  );
}

/** Those of one request or shape, with how often they were made where that is known. */
export function findingCards(context: Context, findings: readonly Finding[]): VNode | undefined {
  if (findings.length === 0) {
    return undefined;
  }
  return h(
    'ol.cards',
    { key: 'cards' },
    findings.map(each =>
      h(
        'li',
        { key: each.id },
        card(
          context,
          each,
          context.report.findings.find(({ id }) => id === each.id),
        ),
      ),
    ),
  );
}

function nothingYet(report: ReportData): VNode {
  return report.totals.queries === 0
    ? empty(
        'No queries yet.',
        'Call a route of your application, or run a job; what its queries cost and what to change is shown here.',
      )
    : empty(
        'Nothing to change was found.',
        'No query was slow, repeated or unplanned. Requests, Shapes and Pool show what they cost all the same.',
      );
}

function kindFilter({ state, report, act }: Context): VNode | false {
  const counts = new Map<CountedFinding['kind'], number>();
  report.findings.forEach(({ kind }) => counts.set(kind, (counts.get(kind) ?? 0) + 1));
  const chip = (label: string, kind: string | undefined, count: number): VNode =>
    h(
      'button.chip',
      {
        key: label,
        on: { click: () => act.set({ kind }) },
        attributes: { type: 'button', 'aria-pressed': String(state.kind === kind) },
      },
      label,
      ' ',
      h('b', undefined, count),
    );
  return (
    counts.size > 1 &&
    h(
      'div.chips',
      { attributes: { role: 'group', 'aria-label': 'Kind of finding' } },
      chip('All', undefined, report.findings.length),
      [...counts].map(([kind, count]) => chip(kindNames[kind] ?? kind, kind, count)),
    )
  );
}

function card(context: Context, finding: Finding, counted: CountedFinding | undefined): VNode {
  const { state, report, act } = context;
  const { id, kind, severity, title, subject, count, cost, site, parent, fix, evidence, shape } = finding;
  const scope = report.scopes.find(each => each.findings.some(own => own.id === id));
  const isStatement = report.shapes.some(each => each.text === subject) || kind === 'slow' || kind.endsWith('n+1');
  return h(
    `article.card.${severity}`,
    { attributes: { 'aria-label': title, 'data-finding': id } },
    h(
      'header',
      undefined,
      badge(kindNames[kind] ?? kind, severity, severityNames[severity]),
      h('h3', undefined, sentenceOf(finding)),
      h(
        'p.price',
        undefined,
        h('b', { attributes: { title: 'what it cost, all times together' } }, duration(cost)),
        count > 1 && h('span', undefined, plural(count, 'query', 'queries')),
        counted && counted.occurrences > 1 && h('span', undefined, `in ${plural(counted.occurrences, 'scope')}`),
        counted && h('span.muted', undefined, ago(counted.lastSeen, report.at)),
      ),
    ),
    h(
      'div.places',
      undefined,
      siteButton(state, act, `site ${id}`, site),
      parent?.proved === true &&
        badge(
          parent.column === undefined ? 'proved by rows' : `proved by rows: ${parent.column}`,
          'proved',
          'The parameters of these queries were found among the values that the query before them had returned.',
        ),
      parent?.proved === false && badge('likely', '', 'The query before them is the likely cause; nothing proves it.'),
    ),
    h(
      'div.card-body',
      undefined,
      isStatement ? sqlBlock(subject) : subject !== '' && h('p.subject', undefined, h('code', undefined, subject)),
      fix !== undefined &&
        h(
          'div.fix',
          undefined,
          h('div.fix-head', undefined, h('b', undefined, 'Fix'), copyButton(state, act, `fix ${id}`, 'Copy', fix)),
          h('pre.code', { attributes: { tabindex: 0 } }, h('code', undefined, fix)),
        ),
    ),
    parent &&
      h(
        'p.parent',
        undefined,
        h('span.muted', undefined, 'led to by '),
        sqlLine(parent.text),
        siteButton(state, act, `parent ${id}`, parent.site),
      ),
    evidence.length > 0 &&
      h(
        'details',
        undefined,
        h('summary', undefined, 'Evidence'),
        h(
          'ul.evidence',
          undefined,
          evidence.map(each => h('li', undefined, each)),
        ),
      ),
    h(
      'footer',
      undefined,
      scope && !isHere(state, 'requests', scope.id)
        ? h('a', { attributes: { href: hashOf('requests', scope.id) } }, `Waterfall of ${scope.name}`)
        : !scope && finding.scope !== undefined && h('span.muted', undefined, `in ${finding.scope}`),
      shape !== undefined &&
        !isHere(state, 'shapes', shape) &&
        report.shapes.some(each => each.id === shape) &&
        h('a', { attributes: { href: hashOf('shapes', shape) } }, 'Its shape'),
      shape !== undefined &&
        !isHere(state, 'plans', shape) &&
        report.plans.some(each => each.id === shape) &&
        h('a', { attributes: { href: hashOf('plans', shape) } }, 'Its plan'),
    ),
  );
}

/** Whether that is what is looked at: it needs no link to itself. */
function isHere({ place }: State, view: View, id: string | number): boolean {
  return place.view === view && place.id === String(id);
}

const severityNames = {
  info: 'low: worth knowing',
  warning: 'medium: worth changing',
  error: 'high: to be changed',
} as const;

function findingText({ kind, title, subject, site, fix, scope, parent }: Finding): string {
  return [kindNames[kind] ?? kind, title, subject, site?.file, site?.function, fix, scope, parent?.entity].join(' ');
}
