export { openTelemetry, type TracedTiming } from './open-telemetry.ts';
export type { OpenTelemetryOptions, ServerAddress } from './open-telemetry-options.ts';
export type { MeasuredTiming } from './query-metrics.ts';
export { traceTags } from './trace-tags.ts';
