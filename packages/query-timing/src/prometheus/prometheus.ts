import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkTiming } from '../checks.ts';
import { databaseOf } from '../opentelemetry/driver.ts';
import type { QueryTiming } from '../timing.ts';
import { CONTENT_TYPE, exposition } from './exposition.ts';
import { PoolSeries } from './pool-series.ts';
import { checkedOptions, type PrometheusOptions } from './prometheus-options.ts';
import { QuerySeries } from './query-series.ts';
import { type MetricRegistry, register } from './registry.ts';

/** What is used of `queryTiming()`. */
export type ScrapedTiming = Pick<QueryTiming, 'driver' | 'on' | 'pools' | 'subscribe'>;

/**
 * Answers scrapes: as a handler of `node:http`, Express or the like, by `.fetch`, as text, or in a registry.
 *
 * Trap: it answers whoever asks, and tells the names of tables. Mount it where only Prometheus comes.
 */
export interface PrometheusExporter {
  (request: IncomingMessage, response: ServerResponse): void;
  /** For Hono, Yoga and whatever else has requests of the web. */
  fetch(request: Request): Response;
  /** In the text format 0.0.4. */
  metrics(): string;
  /** Of that text. */
  readonly contentType: string;
  /**
   * Adds the metrics to a `Registry` of prom-client, all or none; its `resetMetrics()` resets them.
   * @returns takes them out again
   * @throws what the registry throws, e.g. that it has a metric of the same name
   */
  registerInto(registry: MetricRegistry): () => void;
  /** Counts no more. What was counted can still be read. */
  stop(): void;
}

/**
 * Metrics of queries and pools for Prometheus, under the names that OpenTelemetry's have there. Series are bounded: 200
 * summaries of queries, 50 kinds of errors, 1000 of both; the rest is `__other__`, and counted.
 * @throws {OptionsError}
 */
export function prometheus(timing: ScrapedTiming, options?: PrometheusOptions): PrometheusExporter {
  checkTiming('prometheus()', timing, ['driver', 'on', 'pools', 'subscribe']);
  const { namespace } = checkedOptions(options);
  const queries = new QuerySeries(() => namespace ?? databaseOf(timing.driver()));
  const pools = new PoolSeries(() => timing.pools());
  const stops = [
    timing.subscribe(record => queries.add(record)),
    timing.on('connect', event => pools.opened(event)),
    timing.on('connection', event => pools.givenBack(event)),
  ];
  const all = [...queries.metrics(), ...pools.metrics()];
  const metrics = (): string => exposition(all);
  const reset = (): void => {
    queries.clear();
    pools.clear();
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { status, headers, body } = answer(request.method, metrics);
    response.writeHead(status, headers).end(body);
  };
  return Object.assign(handle, {
    fetch(request: Request): Response {
      const { status, headers, body } = answer(request.method, metrics);
      return new Response(body, { status, headers });
    },
    metrics,
    contentType: CONTENT_TYPE,
    registerInto: (registry: MetricRegistry) => register(registry, all, reset),
    stop: () => stops.forEach(stop => stop()),
  });
}

function answer(
  method: string | undefined,
  metrics: () => string,
): { readonly status: number; readonly headers: Record<string, string>; readonly body: string | null } {
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, headers: { allow: 'GET, HEAD' }, body: null };
  }
  const headers = { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  return { status: 200, headers, body: method === 'GET' ? metrics() : null };
}
