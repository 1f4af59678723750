import { type HrTime, type SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { QueryRecord } from '../query-record.ts';
import { spanAttributes } from './attributes.ts';
import type { OpenTelemetrySettings } from './open-telemetry-settings.ts';
import { operationOf } from './operation-of.ts';
import { errorText, isFailure } from './sqlstate.ts';

/** Less of it is how exact `Date.now()` is. In ms. */
const LEAST_DRIFT = 2;

/**
 * Makes the span of a query that is over: with the times of the record, and all attributes at once, for samplers. Its parent
 * is the span that is active now, which is that of whoever asked.
 */
export function recordSpan(settings: OpenTelemetrySettings, record: QueryRecord, kind: SpanKind): void {
  const { error, took } = record;
  const start = record.start + drift();
  const span = settings.tracer.startSpan(nameOf(record), {
    kind,
    startTime: hrTime(start),
    attributes: spanAttributes(settings, record),
  });
  if (error !== undefined && isFailure(error)) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: errorText(error) });
  }
  span.end(hrTime(start + took / 1000));
}

/** As the conventions say: the summary, else operation and target, else the target, else the system. */
function nameOf(record: QueryRecord): string {
  return record.shape.summary || operationOf(record).collection || 'postgresql';
}

/**
 * How far the clock of the machine has moved from where the process' own is, in ms: records have the latter, spans of others
 * the former, and they should line up.
 */
function drift(): number {
  const moved = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(moved) < LEAST_DRIFT ? 0 : moved;
}

/** As a pair: the SDK would take a number for something else if it is small. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
