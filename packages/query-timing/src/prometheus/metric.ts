/** Bounds of histograms of time, in s: those of OpenTelemetry, among which a p95 of 2 ms looks like one of 4, and some between. */
export const SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Bounds of histograms of rows: those of OpenTelemetry. */
export const ROWS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/** By name. */
export type Labels = Readonly<Record<string, string | number>>;

/** One number of a metric. */
export interface Sample {
  /** The metric's own name, or that with `_bucket`, `_sum` or `_count`. */
  readonly metricName: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Something that is measured. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** As it is now. */
  samples(): readonly Sample[];
}
