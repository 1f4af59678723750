import './augmentation.ts';

export { type Baseline, type KnownFinding, readBaseline, writeBaseline } from '../baseline.ts';
export { ciReport, type CiReport, type CiReportOptions } from '../ci/ci-report.ts';
export { assertQueries, type ExpectedQueries } from './assert-queries.ts';
export type { MatcherContext, MatcherResult, QueryAssertions } from './matcher-types.ts';
export { queriesOf } from './query-list.ts';
export { queryMatchers, type QueryMatcherOptions, type QueryMatchers } from './query-matchers.ts';
export { type QueryCountOptions, type QueryGroup, type QueryRun, recordQueries } from './query-run.ts';
export type { SnapshotMatcher } from './snapshots.ts';
