export { prometheus, type PrometheusExporter, type ScrapedTiming } from './prometheus.ts';
export type { PrometheusOptions } from './prometheus-options.ts';
export type { MetricRegistry } from './registry.ts';
