export type { CallSite } from './call-site.ts';
export { OptionsError, QueryTimingError, type QueryTimingErrorCode } from './errors.ts';
export type { CountedFinding, Finding, FindingKind, FindingParent } from './finding.ts';
export type {
  AdviceOptions,
  CallSiteOptions,
  CommentOptions,
  NPlusOneOptions,
  PlanOptions,
  QueryTimingOptions,
  SlowOptions,
  TerminalOptions,
} from './options.ts';
export type { QueryRecord } from './query-record.ts';
export type { ScopeKind, ScopeReport } from './scope.ts';
export { serverTiming } from './server-timing.ts';
export type { Scan, StatementKind } from './sql/scan.ts';
export { queryTiming } from './query-timing.ts';
export type { QueryTiming, ScopeOptions, TimingEvents } from './timing.ts';
export type {
  BatchReport,
  CacheReport,
  NodeReport,
  OwnCost,
  PlanNode,
  PlanReport,
  PoolReport,
  SecondReport,
  ServerStatistics,
  ShapeReport,
  TimingReport,
  Totals,
} from './timing-report.ts';
