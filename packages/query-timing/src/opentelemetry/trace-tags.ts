import { isSpanContextValid, trace } from '@opentelemetry/api';

/**
 * The active span as tags for SQL comments, by which a statement in the server's log leads to its trace:
 * `queryTiming({ comments: { mode: 'full', tags: traceTags } })`. The query's own span is made when the query is over: what is
 * named here is its parent.
 *
 * @returns `traceparent`, and `tracestate` if there is one (https://www.w3.org/TR/trace-context/); nothing without a span
 */
export function traceTags(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span)) {
    return {};
  }
  const { traceId, spanId, traceFlags, traceState } = span;
  const traceparent = `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`;
  const tracestate = traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}
