import type { CallSite } from './call-site.ts';
import type { CountedFinding } from './finding.ts';
import type { QueryRecord } from './query-record.ts';
import type { ScopeReport } from './scope.ts';
import type { StatementKind } from './sql/scan.ts';

/** Everything that was found out since the start or the last `reset()`; plain data, safe to be shown. */
export interface TimingReport {
  /** In ms since the epoch. */
  readonly at: number;
  readonly since: number;
  readonly totals: Totals;
  /** The most costly first. */
  readonly findings: readonly CountedFinding[];
  /** By total time, the most costly first. */
  readonly shapes: readonly ShapeReport[];
  /** The newest first; `records` of old ones may be gone. */
  readonly scopes: readonly ScopeReport[];
  readonly plans: readonly PlanReport[];
  readonly pools: readonly PoolReport[];
  /** By node, if there are several. */
  readonly nodes: readonly NodeReport[];
  /** If `@mikrokit/result-cache` is there. */
  readonly cache: CacheReport | undefined;
  /** If `@mikrokit/batch-loader` is there. */
  readonly batches: BatchReport | undefined;
  /** What the timing itself costs. */
  readonly own: OwnCost;
  /** Newest last, one for each of the last seconds that had queries. */
  readonly seconds: readonly SecondReport[];
}

/** Sums over all queries. */
export interface Totals {
  readonly queries: number;
  readonly errors: number;
  readonly rows: number;
  /** In µs. */
  readonly took: number;
  readonly wait: number;
  readonly send: number;
  readonly database: number;
  readonly after: number;
  readonly scopes: number;
  readonly transactions: number;
}

/** What the queries of one shape cost. */
export interface ShapeReport {
  readonly id: string;
  readonly text: string;
  readonly kind: StatementKind;
  readonly summary: string;
  readonly tables: readonly string[];
  readonly entity: string | undefined;
  readonly operation: string | undefined;
  readonly calls: number;
  readonly errors: number;
  readonly rows: number;
  /** In µs. */
  readonly took: number;
  readonly wait: number;
  readonly send: number;
  readonly database: number;
  readonly after: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /**
   * Index and count of the buckets that have any, without loss: bucket `i` has what took more than 2^(i/16) and at most
   * 2^((i+1)/16) µs, -1 all up to 1 µs, 400 all above 33.5 s (OpenTelemetry's exponential histogram of scale 4).
   */
  readonly histogram: readonly (readonly [bucket: number, count: number])[];
  readonly worst: readonly QueryRecord[];
  readonly site: CallSite | undefined;
  /** `id` of its plan. */
  readonly plan: string | undefined;
  /** Its row of `pg_stat_statements`, where that can be read. */
  readonly server: ServerStatistics | undefined;
  /** In ms since the epoch. */
  readonly lastSeen: number;
}

/** What the server itself counted (`pg_stat_statements`). */
export interface ServerStatistics {
  readonly queryId: string;
  readonly calls: number;
  /** In ms. */
  readonly meanTime: number;
  readonly maxTime: number;
  readonly rows: number;
  /** Blocks. */
  readonly sharedHit: number;
  readonly sharedRead: number;
  readonly tempWritten: number;
  /** Bytes. */
  readonly wal: number;
}

/** A plan; its literals are masked. */
export interface PlanReport {
  /** `id` of the shape. */
  readonly id: string;
  readonly text: string;
  /** How it was got: of the slow execution itself, by EXPLAIN, by EXPLAIN (GENERIC_PLAN), by EXPLAIN ANALYZE. */
  readonly source: 'auto_explain' | 'explain' | 'generic' | 'analyze';
  /** In ms since the epoch. */
  readonly at: number;
  readonly root: PlanNode;
  /** In ms, where it was run. */
  readonly planning: number | undefined;
  readonly execution: number | undefined;
  /** Of `pg_stat_statements`. */
  readonly queryId: string | undefined;
  /** Ids of findings about it. */
  readonly findings: readonly string[];
  /** As EXPLAIN gave it, masked, for other viewers; JSON. */
  readonly raw: string;
}

/** A node of a plan; rows and times as PostgreSQL counts them. */
export interface PlanNode {
  readonly type: string;
  readonly relation: string | undefined;
  readonly index: string | undefined;
  readonly alias: string | undefined;
  /** Cost units of PostgreSQL. */
  readonly startupCost: number;
  readonly totalCost: number;
  readonly planRows: number;
  /** Of one loop, where it was run. */
  readonly actualRows: number | undefined;
  readonly loops: number | undefined;
  /** In ms, of all loops. */
  readonly actualTime: number | undefined;
  readonly removedByFilter: number | undefined;
  readonly sharedHit: number | undefined;
  readonly sharedRead: number | undefined;
  /** Conditions, sort keys and the like: name and masked text. */
  readonly details: readonly (readonly [name: string, value: string])[];
  /** What is wrong with it, one sentence each. */
  readonly remarks: readonly string[];
  readonly children: readonly PlanNode[];
}

/** A pool of connections: how many there are of which kind now, and what was waited for them. */
export interface PoolReport {
  readonly name: string;
  readonly role: 'primary' | 'replica' | undefined;
  readonly max: number | undefined;
  /** With so many open, used ones included, pg closes no idle one. */
  readonly min: number | undefined;
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
  /** Of waiting for a connection, in µs. */
  readonly waitP50: number;
  readonly waitP95: number;
  readonly waitMax: number;
  /** Of holding a connection, in µs. */
  readonly useP95: number;
  readonly acquired: number;
  readonly created: number;
  readonly timeouts: number;
  /** Who holds a connection now, the longest first, at most ten. */
  readonly holders: readonly {
    /** In ms since the epoch. */
    readonly since: number;
    readonly scope: string | undefined;
    readonly summary: string;
    readonly site: CallSite | undefined;
  }[];
}

/** What the queries of one server cost. */
export interface NodeReport {
  readonly name: string;
  readonly role: 'primary' | 'replica' | undefined;
  readonly queries: number;
  readonly errors: number;
  /** In µs. */
  readonly took: number;
  readonly p50: number;
  readonly p95: number;
  /** Why queries went there, and how often (`@mikrokit/replica-resolver`). */
  readonly reasons: Readonly<Record<string, number>>;
}

/** How often the result cache was asked, and what it answered. */
export interface CacheReport {
  readonly hits: number;
  readonly misses: number;
  readonly bypasses: number;
  readonly fills: number;
  readonly invalidations: number;
  readonly errors: number;
  readonly entities: Readonly<
    Record<string, { readonly hits: number; readonly misses: number; readonly bypasses: number }>
  >;
  readonly reasons: Readonly<Record<string, number>>;
}

/** How many calls the batch loader has answered by how many queries. */
export interface BatchReport {
  readonly batches: number;
  readonly calls: number;
  readonly entities: Readonly<Record<string, { readonly batches: number; readonly calls: number }>>;
}

/** The queries that began in one second. */
export interface SecondReport {
  /** In s since the epoch. */
  readonly second: number;
  readonly queries: number;
  /** In µs. */
  readonly took: number;
  readonly wait: number;
  /** The most at one time. */
  readonly waiting: number;
  readonly used: number;
}

/** What the timing costs, keeps and could not keep. */
export interface OwnCost {
  /**
   * In µs for each query: all that is done for one on a copy of the hot path, without a database, measured at the first
   * `report()`. Between answers of a database, when nothing of it is in the processor's caches, it is some times as much.
   */
  readonly perQuery: number;
  /** Of what is kept, an estimate, in bytes. */
  readonly memory: number;
  /** What had to be left out, and why. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Errors of subscribers, pages and plans: never of a query. */
  readonly failures: number;
}
