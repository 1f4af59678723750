import type { CallSite } from '../call-site.ts';
import type { CountedFinding } from '../finding.ts';
import type { TimingReport } from '../timing-report.ts';
import { clip } from './clip.ts';
import { kindNames, sentenceOf } from './finding-kinds.ts';
import { bytes, duration, percent, whole } from './format.ts';
import { block, code, table, text } from './markdown-text.ts';
import { fullPlace, shortPlace } from './place.ts';
import { planText } from './plan-text.ts';

/** So many plans are written: they are long. */
const PLANS = 5;

/** How much of a report becomes Markdown. */
export interface MarkdownOptions {
  /** Heading of the document. @default 'Queries' */
  readonly title?: string;
  /** So many rows of each table. @default 20 */
  readonly rows?: number;
}

/**
 * A report as Markdown (of GitHub's kind) for people, issues and language models: totals, findings with their fixes, the
 * slowest requests, the most costly shapes, and the rest as far as it is there. Names, statements and code of the report are
 * shown as they are: nothing in them becomes markup. Pure.
 */
export function reportMarkdown(report: TimingReport, options: MarkdownOptions = {}): string {
  const { title = 'Queries', rows = 20 } = options;
  return [
    `# ${text(title)}`,
    totals(report),
    ...findings(report, rows),
    ...requests(report, rows),
    ...shapes(report, rows),
    ...plans(report),
    ...pools(report),
    ...nodes(report),
    ...cache(report),
    ...batches(report),
    own(report),
  ]
    .join('\n\n')
    .concat('\n');
}

function totals({ totals: all, since, at }: TimingReport): string {
  const parts = [
    ['wait', all.wait],
    ['send', all.send],
    ['database', all.database],
    ['hydrate', all.after],
  ] as const;
  return [
    `${whole(all.queries)} queries in ${whole(all.scopes)} scopes took ${duration(all.took)}`,
    ` (${parts.map(([name, us]) => `${name} ${duration(us)}`).join(' · ')})`,
    `, returned ${whole(all.rows)} rows and failed ${whole(all.errors)} times,`,
    ` from ${moment(since)} to ${moment(at)}.`,
  ].join('');
}

function findings(report: TimingReport, rows: number): readonly string[] {
  if (report.findings.length === 0) {
    return ['## Findings', 'None.'];
  }
  return [
    `## Findings (${report.findings.length})`,
    ...report.findings.slice(0, rows).map(finding),
    ...more(report.findings.length, rows),
  ];
}

function finding(found: CountedFinding): string {
  const { parent } = found;
  const facts = [
    `${found.count} queries, ${duration(found.cost)}, seen ${whole(found.occurrences)} ${found.occurrences === 1 ? 'time' : 'times'}`,
    ...(found.scope === undefined ? [] : [`in ${code(found.scope)}`]),
    ...(found.site ? [`at ${where(found.site)}`] : []),
    ...(parent
      ? [
          `led to by ${code(clip(parent.text, 300))}${parent.site ? ` at ${where(parent.site)}` : ''}` +
            (parent.proved ? `, proved by its rows${parent.column ? ` (${code(parent.column)})` : ''}` : ', probably'),
        ]
      : []),
    ...found.evidence.map(text),
  ];
  return [
    `### ${kindNames[found.kind]}: ${text(sentenceOf(found))}`,
    facts.map(fact => `- ${fact}`).join('\n'),
    block(found.subject, found.shape === undefined ? '' : 'sql'),
    ...(found.fix === undefined ? [] : ['Fix:', block(found.fix, 'ts')]),
  ].join('\n\n');
}

function requests({ scopes }: TimingReport, rows: number): readonly string[] {
  if (scopes.length === 0) {
    return [];
  }
  const slowest = scopes.toSorted((a, b) => sum(b) - sum(a));
  return [
    '## Requests',
    table(
      ['request', 'queries', 'time in SQL', 'of the request', 'wait', 'database', 'hydrate', 'errors', 'findings'],
      slowest
        .slice(0, rows)
        .map(scope => [
          code(scope.name),
          whole(scope.queries),
          duration(sum(scope)),
          scope.took > 0 ? percent(sum(scope) / scope.took) : '–',
          duration(scope.wait),
          duration(scope.database),
          duration(scope.after),
          whole(scope.errors),
          text(scope.findings.map(each => kindNames[each.kind]).join(', ')),
        ]),
    ),
    ...more(scopes.length, rows),
  ];
}

function shapes({ shapes: all, totals: { took } }: TimingReport, rows: number): readonly string[] {
  if (all.length === 0) {
    return [];
  }
  return [
    '## Shapes',
    table(
      ['statement', 'of all time', 'calls', 'p50', 'p95', 'p99', 'rows', 'errors', 'at'],
      all
        .slice(0, rows)
        .map(shape => [
          code(clip(shape.text, 300)),
          percent(took > 0 ? shape.took / took : 0),
          whole(shape.calls),
          duration(shape.p50),
          duration(shape.p95),
          duration(shape.p99),
          whole(shape.rows),
          whole(shape.errors),
          shape.site ? where(shape.site) : '',
        ]),
    ),
    ...more(all.length, rows),
  ];
}

function plans({ plans: all }: TimingReport): readonly string[] {
  if (all.length === 0) {
    return [];
  }
  return [
    `## Plans (${all.length})`,
    ...all
      .slice(0, PLANS)
      .flatMap(({ text: statement, source, execution, root }) => [
        `${code(clip(statement, 300))}, by ${source}${execution === undefined ? '' : `: ${duration(execution * 1000)}`}`,
        block(planText(root), ''),
      ]),
    ...more(all.length, PLANS),
  ];
}

function pools({ pools: all }: TimingReport): readonly string[] {
  if (all.length === 0) {
    return [];
  }
  return [
    '## Pools',
    table(
      ['pool', 'role', 'used', 'idle', 'waiting', 'max', 'wait p95', 'longest wait', 'time-outs'],
      all.map(pool => [
        code(pool.name),
        pool.role ?? '',
        whole(pool.used),
        whole(pool.idle),
        whole(pool.waiting),
        whole(pool.max),
        duration(pool.waitP95),
        duration(pool.waitMax),
        whole(pool.timeouts),
      ]),
    ),
  ];
}

function nodes({ nodes: all }: TimingReport): readonly string[] {
  if (all.length === 0) {
    return [];
  }
  return [
    '## Nodes',
    table(
      ['node', 'role', 'queries', 'errors', 'p50', 'p95', 'why'],
      all.map(node => [
        code(node.name),
        node.role ?? '',
        whole(node.queries),
        whole(node.errors),
        duration(node.p50),
        duration(node.p95),
        text(reasons(node.reasons)),
      ]),
    ),
  ];
}

function cache({ cache: it }: TimingReport): readonly string[] {
  if (!it) {
    return [];
  }
  const asked = it.hits + it.misses + it.bypasses;
  return [
    '## Cache',
    `${whole(it.hits)} hits (${percent(asked > 0 ? it.hits / asked : 0)}), ${whole(it.misses)} misses, ` +
      `${whole(it.bypasses)} bypasses, ${whole(it.fills)} fills, ${whole(it.invalidations)} invalidations, ` +
      `${whole(it.errors)} errors.`,
    table(
      ['entity', 'hits', 'misses', 'bypasses'],
      Object.entries(it.entities).map(([entity, counts]) => [
        code(entity),
        whole(counts.hits),
        whole(counts.misses),
        whole(counts.bypasses),
      ]),
    ),
  ];
}

function batches({ batches: it }: TimingReport): readonly string[] {
  if (!it) {
    return [];
  }
  return [
    '## Batches',
    `${whole(it.batches)} queries answered ${whole(it.calls)} calls.`,
    table(
      ['entity', 'queries', 'calls'],
      Object.entries(it.entities).map(([entity, counts]) => [code(entity), whole(counts.batches), whole(counts.calls)]),
    ),
  ];
}

function own({ own: cost }: TimingReport): string {
  const dropped = reasons(cost.dropped);
  return [
    '## Own cost',
    `At least ${duration(cost.perQuery)} for each query, ${bytes(cost.memory)} of memory, ${whole(cost.failures)} failures.` +
      (dropped === '' ? '' : ` Left out: ${text(dropped)}.`),
  ].join('\n\n');
}

function more(all: number, rows: number): readonly string[] {
  return all > rows ? [`… and ${whole(all - rows)} more.`] : [];
}

function reasons(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 10)
    .map(([reason, count]) => `${reason} ${whole(count)}`)
    .join(', ');
}

/** Time in queries, which run beside each other at times: it may be more than the scope took. */
function sum(scope: { wait: number; send: number; database: number; after: number }): number {
  return scope.wait + scope.send + scope.database + scope.after;
}

function where(site: CallSite): string {
  return `${code(shortPlace(site))}${site.function === undefined ? '' : ` in ${code(site.function)}`} (${code(fullPlace(site))})`;
}

function moment(at: number): string {
  return Number.isFinite(at) && Math.abs(at) < 8.64e15 ? new Date(at).toISOString() : '–';
}
