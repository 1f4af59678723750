import type { CallSite } from '../call-site.ts';
import type { CountedFinding, Finding } from '../finding.ts';
import type { QueryRecord } from '../query-record.ts';
import type { ScopeReport } from '../scope.ts';
import type { Scan } from '../sql/scan.ts';
import type { PlanNode, PlanReport, ShapeReport, TimingReport } from '../timing-report.ts';
import { clip, clipAll, NAME, RAW, SENTENCE, TEXT } from './clip.ts';

/**
 * A report as JSON. The same data, but records name their shape by its `id`, since a text of 4096 characters would be
 * repeated with each of them; and scopes have neither their records nor the details of their findings (`ScopeData` has).
 */
export interface ReportData extends Omit<TimingReport, 'shapes' | 'scopes'> {
  readonly shapes: readonly ShapeData[];
  readonly scopes: readonly ScopeSummary[];
}

/** A shape; its worst samples name it by `id`. */
export interface ShapeData extends Omit<ShapeReport, 'worst'> {
  readonly worst: readonly RecordData[];
}

/** A record; `shape` is the `id` of its shape. */
export interface RecordData extends Omit<QueryRecord, 'shape'> {
  readonly shape: string;
}

/** A scope without its records. */
export interface ScopeSummary extends Omit<ScopeReport, 'records' | 'findings'> {
  readonly findings: readonly Pick<Finding, 'id' | 'kind' | 'severity' | 'title'>[];
  /** How many records are kept of it; 0 for an old one. */
  readonly kept: number;
}

/** One scope with its records and findings, and the shapes that they are of. */
export interface ScopeData extends Omit<ScopeReport, 'records'> {
  readonly records: readonly RecordData[];
  /** By `id`. */
  readonly statements: Readonly<Record<string, Pick<Scan, 'id' | 'text' | 'kind' | 'summary' | 'tables'>>>;
}

/** So many of each are shown; what is recorded has bounds of its own that are not above these. */
const MOST = { findings: 1000, shapes: 1000, scopes: 200, records: 500, plans: 50, rest: 100, nodes: 500 } as const;

/**
 * A report that can be written as JSON: bounded whatever it was made of, no text longer than 4096 characters (a raw plan
 * 256 Ki). Pure.
 */
export function reportData(report: TimingReport): ReportData {
  return {
    ...report,
    findings: report.findings.slice(0, MOST.findings).map(countedFinding),
    shapes: report.shapes.slice(0, MOST.shapes).map(shapeData),
    scopes: report.scopes.slice(0, MOST.scopes).map(scopeSummary),
    plans: report.plans.slice(0, MOST.plans).map(planData),
    pools: report.pools.slice(0, MOST.rest).map(pool => ({
      ...pool,
      name: clip(pool.name, NAME),
      holders: pool.holders.slice(0, MOST.rest).map(holder => ({
        since: holder.since,
        scope: clip(holder.scope, NAME),
        summary: clip(holder.summary, SENTENCE),
        site: place(holder.site),
      })),
    })),
    nodes: report.nodes.slice(0, MOST.rest).map(node => ({
      ...node,
      name: clip(node.name, NAME),
      reasons: named(node.reasons),
    })),
    cache: report.cache && {
      ...report.cache,
      entities: named(report.cache.entities),
      reasons: named(report.cache.reasons),
    },
    batches: report.batches && { ...report.batches, entities: named(report.batches.entities) },
    own: { ...report.own, dropped: named(report.own.dropped) },
    seconds: report.seconds.slice(-600),
  };
}

/** One scope that can be written as JSON, bounded as `reportData()`. Pure. */
export function scopeData(scope: ScopeReport): ScopeData {
  const records = scope.records.slice(0, MOST.records);
  const statements = Object.fromEntries(
    records.map(({ shape: { id, text, kind, summary, tables } }) => [
      clip(id, NAME),
      {
        id: clip(id, NAME),
        text: clip(text, TEXT),
        kind,
        summary: clip(summary, SENTENCE),
        tables: clipAll(tables, MOST.rest, NAME),
      },
    ]),
  );
  return {
    ...scope,
    name: clip(scope.name, NAME),
    findings: scope.findings.slice(0, MOST.rest).map(finding),
    records: records.map(recordData),
    statements,
  };
}

function scopeSummary({ records, ...scope }: ScopeReport): ScopeSummary {
  return {
    ...scope,
    name: clip(scope.name, NAME),
    findings: scope.findings.slice(0, MOST.rest).map(({ id, kind, severity, title }) => ({
      id: clip(id, NAME),
      kind,
      severity,
      title: clip(title, SENTENCE),
    })),
    kept: records.length,
  };
}

function countedFinding(found: CountedFinding): CountedFinding {
  const { occurrences, firstSeen, lastSeen } = found;
  return { ...finding(found), occurrences, firstSeen, lastSeen };
}

function finding(found: Finding): Finding {
  const { parent } = found;
  return {
    id: clip(found.id, NAME),
    kind: found.kind,
    severity: found.severity,
    title: clip(found.title, SENTENCE),
    subject: clip(found.subject, TEXT),
    shape: clip(found.shape, NAME),
    count: found.count,
    cost: found.cost,
    site: place(found.site),
    parent: parent && {
      shape: clip(parent.shape, NAME),
      text: clip(parent.text, TEXT),
      entity: clip(parent.entity, NAME),
      site: place(parent.site),
      proved: parent.proved,
      column: clip(parent.column, NAME),
    },
    fix: clip(found.fix, TEXT),
    evidence: clipAll(found.evidence, MOST.rest, SENTENCE),
    scope: clip(found.scope, NAME),
  };
}

function shapeData(shape: ShapeReport): ShapeData {
  return {
    ...shape,
    id: clip(shape.id, NAME),
    text: clip(shape.text, TEXT),
    summary: clip(shape.summary, SENTENCE),
    tables: clipAll(shape.tables, MOST.rest, NAME),
    entity: clip(shape.entity, NAME),
    operation: clip(shape.operation, NAME),
    histogram: shape.histogram.slice(0, 1000),
    worst: shape.worst.slice(0, 10).map(recordData),
    site: place(shape.site),
    plan: clip(shape.plan, NAME),
    server: shape.server && { ...shape.server, queryId: clip(shape.server.queryId, NAME) },
  };
}

function recordData(record: QueryRecord): RecordData {
  return {
    ...record,
    shape: clip(record.shape.id, NAME),
    entity: clip(record.entity, NAME),
    operation: clip(record.operation, NAME),
    error: clip(record.error, NAME),
    node: clip(record.node, NAME),
    label: clip(record.label, NAME),
    site: place(record.site),
    parameters: record.parameters && clipAll(record.parameters, MOST.rest, SENTENCE),
    cache: clip(record.cache, NAME),
    route: clip(record.route, NAME),
  };
}

function planData(plan: PlanReport): PlanReport {
  const left = { nodes: MOST.nodes };
  return {
    ...plan,
    id: clip(plan.id, NAME),
    text: clip(plan.text, TEXT),
    root: planNode(plan.root, left),
    queryId: clip(plan.queryId, NAME),
    findings: clipAll(plan.findings, MOST.rest, NAME),
    raw: clip(plan.raw, RAW),
  };
}

function planNode(node: PlanNode, left: { nodes: number }): PlanNode {
  left.nodes--;
  return {
    ...node,
    type: clip(node.type, NAME),
    relation: clip(node.relation, NAME),
    index: clip(node.index, NAME),
    alias: clip(node.alias, NAME),
    details: node.details.slice(0, MOST.rest).map(([name, value]) => [clip(name, NAME), clip(value, TEXT)] as const),
    remarks: clipAll(node.remarks, MOST.rest, SENTENCE),
    children: node.children.flatMap(child => (left.nodes > 0 ? [planNode(child, left)] : [])),
  };
}

function place(site: CallSite | undefined, outwards = 3): CallSite | undefined {
  return (
    site && {
      file: clip(site.file, SENTENCE),
      line: site.line,
      column: site.column,
      function: clip(site.function, NAME),
      parallel: site.parallel,
      caller: outwards > 0 ? place(site.caller, outwards - 1) : undefined,
    }
  );
}

function named<T>(values: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  // fromEntries() defines `__proto__` as any other name; an assignment would not.
  return Object.fromEntries(
    Object.entries(values)
      .slice(0, MOST.rest)
      .map(([name, value]) => [clip(name, NAME), value]),
  );
}
