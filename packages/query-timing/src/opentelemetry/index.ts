export { openTelemetry } from './open-telemetry.ts';
export type { OpenTelemetryOptions, ServerAddress } from './open-telemetry-options.ts';
export type { TracedTiming } from './query-metrics.ts';
export { traceTags } from './trace-tags.ts';
