import type { CallSite } from './call-site.ts';
import { mapped } from './call-sites.ts';
import type { Finding } from './finding.ts';
import type { QueryRecord } from './query-record.ts';
import type { ScopeReport } from './scope.ts';
import type { ShapeEntry } from './shapes.ts';
import type { ServerStatistics, ShapeReport } from './timing-report.ts';

/* Makes plain data of what is kept: source maps are read here, and nowhere near a query. */

/** A shape as it is now. */
export function shapeReport(
  entry: ShapeEntry,
  plan: string | undefined,
  server: ServerStatistics | undefined,
): ShapeReport {
  const { times } = entry;
  const worst = entry.worst.map(recordReport);
  return {
    id: entry.id,
    text: entry.text,
    kind: entry.kind,
    summary: entry.summary,
    tables: entry.tables,
    entity: entry.entity,
    operation: entry.operation,
    calls: entry.calls,
    errors: entry.errors,
    rows: entry.rows,
    took: entry.took,
    wait: entry.wait,
    send: entry.send,
    database: entry.database,
    after: entry.after,
    p50: times.quantile(0.5),
    p95: times.quantile(0.95),
    p99: times.quantile(0.99),
    max: times.max,
    histogram: [...times.buckets()],
    worst,
    site: worst.find(({ site }) => site !== undefined)?.site,
    plan,
    server,
    lastSeen: entry.lastSeen,
  };
}

export function scopeReport(scope: ScopeReport): ScopeReport {
  return { ...scope, findings: scope.findings.map(findingReport), records: scope.records.map(recordReport) };
}

export function findingReport<T extends Finding>(finding: T): T {
  const { site, parent } = finding;
  return {
    ...finding,
    site: siteReport(site),
    parent: parent === undefined ? undefined : { ...parent, site: siteReport(parent.site) },
  };
}

/** A record as plain data of its own. */
export function recordReport(record: QueryRecord): QueryRecord {
  const { id, text, kind, tables, summary, loneRead, hasComment, hasList } = record.shape;
  return {
    id: record.id,
    shape: { id, text, kind, tables, summary, loneRead, hasComment, hasList },
    entity: record.entity,
    operation: record.operation,
    start: record.start,
    wait: record.wait,
    send: record.send,
    database: record.database,
    after: record.after,
    took: record.took,
    rows: record.rows,
    error: record.error,
    node: record.node,
    role: record.role,
    fork: record.fork,
    scope: record.scope,
    transaction: record.transaction,
    label: record.label,
    site: siteReport(record.site),
    parameters: record.parameters,
    batch: record.batch,
    cache: record.cache,
    route: record.route,
  };
}

function siteReport(site: CallSite | undefined): CallSite | undefined {
  return site === undefined ? undefined : mapped(site);
}
