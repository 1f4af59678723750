import { keepContext } from './keep-context.ts';
import { atHead, type NodeResponse } from './node-head.ts';
import { type RequestScope, runRequest } from './request-scope.ts';
import type { RequestTiming, TimingSettings } from './timing-settings.ts';

/** What is used of a request of node:http or node:http2. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  emit(...args: never[]): boolean;
}

/** A request of node:http, its answer, and what its framework knows of it. */
export interface NodeExchange {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  /** Where `request.url` is not all of it any more. */
  readonly target?: string | undefined;
  readonly route?: string | undefined;
}

/** The scopes that a request has, one for each timing: this is where they are found from within. */
const SCOPES = Symbol('mikrokit.query-timing.scopes');

interface WithScopes {
  [SCOPES]?: Map<RequestTiming, RequestScope>;
}

/** The scope that an answer of Node.js belongs to already. */
export function scopeAround(timing: RequestTiming, response: NodeResponse): RequestScope | undefined {
  return (response as WithScopes)[SCOPES]?.get(timing);
}

/** Has the scope end with its answer, and found from within. */
export function endWith(response: NodeResponse, timing: RequestTiming, scope: RequestScope): void {
  ((response as WithScopes)[SCOPES] ??= new Map()).set(timing, scope);
  response.once('finish', scope.end);
  response.once('close', scope.end);
}

/** Whether its events have been: nobody is told of the end of such an answer any more. */
export function isOver(response: NodeResponse): boolean {
  return response.writableFinished === true || response.destroyed === true;
}

/**
 * Runs `fn` as the scope of a request, which is over when the answer is finished or closed, whichever is first, or when `fn`
 * throws. Within a scope of the same timing and request there is no second one: `fn` is given that.
 *
 * @param seen the request as the functions in the options know it
 * @param fn given `undefined` if the request is to be ignored
 * @returns what `fn` returns
 */
export function runNodeScope<Seen, T>(
  timing: RequestTiming,
  settings: TimingSettings<Seen>,
  { request, response, target, route }: NodeExchange,
  seen: Seen,
  fn: (scope: RequestScope | undefined) => T,
): T {
  const around = scopeAround(timing, response);
  if (around !== undefined || settings.ignored(seen)) {
    around?.routed(route);
    return fn(around);
  }
  const { method, url, headers } = request;
  const arrival = { method, target: target ?? url, route, traceparent: headers['traceparent'] };
  return runRequest(timing, settings, arrival, seen, scope => {
    endWith(response, timing, scope);
    keepContext(request, scope.inside);
    keepContext(response, scope.inside);
    // Whoever sends the head may have left the scope.
    atHead(response, scope.serverTiming);
    const result = fn(scope);
    if (isOver(response)) {
      scope.end();
    }
    return result;
  });
}
