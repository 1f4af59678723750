import type { Finding } from '../finding.ts';
import type { EntityModel } from '../model.ts';
import { findingId } from '../finding-id.ts';
import { count, kilobytes } from '../plans/rules/words.ts';
import type { TableFacts } from '../plans/table-facts.ts';
import type { Shape } from '../shape.ts';
import type { AdvisedIndex, Wanting } from './advised-indexes.ts';
import { createIndexSql, entityCode } from './index-code.ts';
import type { IndexFacts } from './index-facts.ts';

/** What is known beside the index. */
export interface AdviceFacts {
  readonly table: TableFacts;
  readonly indexes: readonly IndexFacts[];
  readonly entity: EntityModel | undefined;
  readonly shape: (id: string) => Shape | undefined;
}

const MOST_SHAPES_TOLD = 5;

/** The finding of an index that is advised: the shapes that want it by what they cost, and the code that makes it. */
export function adviceFinding(advised: AdvisedIndex, facts: AdviceFacts): Finding {
  const { table, index } = advised;
  const wanting = [...advised.wantedBy.values()]
    .map(each => ({ ...each, figures: facts.shape(each.shape.id) }))
    .toSorted((one, other) => (other.figures?.took ?? 0) - (one.figures?.took ?? 0));
  const columns = index.columns.map(({ column }) => column);
  const subject = `${table.name} (${columns.join(', ')})`;
  const code = facts.entity && entityCode(facts.entity, index);
  return {
    id: findingId('missing-index', table.schema, table.name, JSON.stringify(advised.first)),
    kind: 'missing-index',
    severity: 'warning',
    title: title(subject, wanting),
    subject,
    shape: wanting[0]?.shape.id,
    count: wanting.reduce((sum, { figures }) => sum + (figures?.calls ?? 1), 0),
    cost: wanting.reduce((sum, { figures }) => sum + (figures?.took ?? 0), 0),
    site: wanting.flatMap(({ figures }) => figures?.worst ?? []).find(({ site }) => site)?.site,
    parent: undefined,
    fix: [code, createIndexSql(table, index)].filter(line => line !== undefined).join('\n'),
    evidence: [
      ...wanting.slice(0, MOST_SHAPES_TOLD).map(told),
      ...(wanting.length > MOST_SHAPES_TOLD ? [`${wanting.length - MOST_SHAPES_TOLD} more shapes want it, too.`] : []),
      ...size(wanting),
      ...superfluous(columns, facts.indexes),
      ...writeHeavy(facts.table, columns),
    ],
    scope: undefined,
  };
}

function title(subject: string, wanting: readonly Wanting[]): string {
  const best = wanting.flatMap(({ verdict }) => (verdict.helps ? [verdict] : []))[0];
  const reads = wanting.length === 1 ? 'a read' : `${wanting.length} reads`;
  return best
    ? `An index on ${subject} makes ${reads} cheaper: cost ${costs(best)}.`
    : `An index on ${subject} may make ${reads} cheaper (unverified).`;
}

function told({ shape, node, verdict, figures }: Wanting & { readonly figures: Shape | undefined }): string {
  const total = figures ? ` (${count(figures.calls)} × ${count(figures.took / figures.calls / 1_000)} ms)` : '';
  const found = verdict.helps
    ? `cost ${costs(verdict)}, estimated by the planner ${verdict.by === 'hypopg' ? 'with HypoPG' : 'in a throw-away database'}`
    : `unverified: ${verdict.why}`;
  return `${shape.summary}${total}: ${node}; ${found}.`;
}

function costs({ before, after }: { readonly before: number; readonly after: number }): string {
  return `${count(before)} → ${count(after)} (−${count(Math.floor((100 * (before - after)) / before))} %)`;
}

function size(wanting: readonly Wanting[]): readonly string[] {
  const bytes = wanting.map(({ verdict }) => (verdict.helps ? (verdict.size ?? 0) : 0));
  const most = Math.max(0, ...bytes);
  return most > 0 ? [`It would take about ${kilobytes(most / 1_024)}.`] : [];
}

function superfluous(columns: readonly string[], indexes: readonly IndexFacts[]): readonly string[] {
  return indexes
    .filter(
      ({ columns: own, unique, usable, predicate }) =>
        usable &&
        !unique &&
        predicate === undefined &&
        own.length < columns.length &&
        own.every((column, place) => column === columns[place]),
    )
    .map(({ name }) => `It makes the index ${name} superfluous.`);
}

/** Written more often than it is read since the statistics began, and often. */
function writeHeavy(
  { name, reads, writes, updates, hotUpdates }: TableFacts,
  columns: readonly string[],
): readonly string[] {
  if (writes < 10_000 || writes <= reads) {
    return [];
  }
  const hot =
    updates > 0
      ? ` ${count(Math.round((100 * hotUpdates) / updates))} % of its updates leave all indexes alone (HOT), and no longer those that change ${columns.join(' or ')}.`
      : '';
  return [
    `${name} is written more than it is read (${count(writes)} rows written, ${count(reads)} scans): each index makes its writes dearer.${hot}`,
  ];
}
