import { SpanKind } from '@opentelemetry/api';
import { checkTiming } from '../checks.ts';
import { isWrapped } from './driver.ts';
import type { OpenTelemetryOptions } from './open-telemetry-options.ts';
import { openTelemetrySettings } from './open-telemetry-settings.ts';
import { measure, type TracedTiming } from './query-metrics.ts';
import { recordSpan } from './query-span.ts';

/**
 * Makes a span of each query, and the metrics of queries and pools, as OpenTelemetry's conventions for databases have them
 * (https://opentelemetry.io/docs/specs/semconv/database/postgresql/, 1.44.0). No parameter, row, or message of an error is in
 * any of them; the text of queries has no values.
 *
 * A span is made when its query is over, with the times that were measured, under the span that is active where the query was
 * called.
 *
 * Trap: metrics go to the SDK that is registered now; one that is registered later gets spans only.
 *
 * @returns ends it
 * @throws {OptionsError}
 */
export function openTelemetry(timing: TracedTiming, options?: OpenTelemetryOptions): () => void {
  checkTiming('openTelemetry()', timing, ['driver', 'on', 'pools', 'subscribe']);
  const settings = openTelemetrySettings(options, () => timing.driver());
  const stops: (() => void)[] = [];
  if (settings.spans !== 'off') {
    stops.push(
      timing.subscribe(record => {
        // Asked each time: instrumentations come and go while the program runs.
        const isInternal = settings.spans === 'auto' ? isWrapped(timing.driver()) : settings.spans === 'internal';
        recordSpan(settings, record, isInternal ? SpanKind.INTERNAL : SpanKind.CLIENT);
      }),
    );
  }
  if (settings.metrics) {
    stops.push(measure(timing, settings));
  }
  return () => stops.forEach(stop => stop());
}
