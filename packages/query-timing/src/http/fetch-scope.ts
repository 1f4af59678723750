import type { NodeResponse } from './node-head.ts';
import { endWith, isOver, scopeAround } from './node-scope.ts';
import { type RequestScope, runRequest } from './request-scope.ts';
import type { RequestTiming, TimingSettings } from './timing-settings.ts';

/** What is used of a request of fetch. */
export interface FetchRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  readonly signal?: AbortSignal | undefined;
}

/** A request of fetch, and what its framework knows of it. */
export interface FetchExchange {
  readonly request: FetchRequest;
  readonly route?: string | undefined;
  /** The answer of Node.js that its answer goes to, if there is one. */
  readonly response: NodeResponse | undefined;
}

/**
 * Runs `fn` as the scope of a request of fetch. It is over when the answer of Node.js is finished or closed, whichever is
 * first; without one when `fn`'s promise is settled or the request is aborted; and when `fn` fails. Within a scope of the same timing and request there
 * is no second one: `fn` is given that.
 *
 * @param seen the request as the functions in the options know it
 * @param fn given `undefined` if the request is to be ignored
 * @param answered adds a Server-Timing header
 */
export function runFetchScope<Seen, Answer>(
  timing: RequestTiming,
  settings: TimingSettings<Seen>,
  { request, route, response }: FetchExchange,
  seen: Seen,
  fn: (scope: RequestScope | undefined) => Answer | Promise<Answer>,
  answered: (answer: Answer, serverTiming: string) => Answer,
): Promise<Answer> {
  const around = response && scopeAround(timing, response);
  if (around !== undefined || settings.ignored(seen)) {
    around?.routed(route);
    return (async () => await fn(around))();
  }
  const { method, url, headers } = request;
  const arrival = { method, target: url, route, traceparent: headers.get('traceparent') };
  return runRequest(timing, settings, arrival, seen, async scope => {
    if (response === undefined) {
      request.signal?.addEventListener('abort', scope.end, { once: true });
    } else {
      endWith(response, timing, scope);
    }
    try {
      const answer = await fn(scope);
      const header = scope.serverTiming();
      if (response === undefined || isOver(response)) {
        scope.end();
      }
      return header === undefined ? answer : answered(answer, header);
    } catch (error) {
      scope.end();
      throw error;
    }
  });
}
