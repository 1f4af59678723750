import type { NodeResponse } from './node-head.ts';
import { type NodeRequest, runNodeScope } from './node-scope.ts';
import { pathName } from './path-name.ts';
import type { RequestScope } from './request-scope.ts';
import type { RequestTimingOptions } from './timing-options.ts';
import { type RequestTiming, timingSettings } from './timing-settings.ts';

/** What is used of Express's request. */
export interface ExpressRequest extends NodeRequest {
  readonly originalUrl?: string;
  readonly baseUrl?: string;
}

/**
 * Middleware for Express: what comes after it runs in the scope of the request, which is over when the answer is finished or
 * closed, whichever is first. It is named after the route that answered (`GET /books/:id`); where a router is mounted at a
 * pattern, its place has `:id` for what looks like a value. Before everything that queries.
 *
 * Trap: of an answer that never ends (server-sent events) the scope never ends.
 *
 * @throws {OptionsError}
 */
export function expressTiming<Request extends ExpressRequest = ExpressRequest>(
  timing: RequestTiming,
  options?: RequestTimingOptions<Request>,
): (request: Request, response: NodeResponse, next: () => void) => void {
  const settings = timingSettings('expressTiming()', timing, options);
  return (request, response, next) =>
    runNodeScope(timing, settings, { request, response, target: request.originalUrl }, request, scope => {
      if (scope !== undefined) {
        whenRouted(request, scope);
      }
      next();
    });
}

/**
 * Express sets `request.route` when it has found one. Later it could not be told where the router was mounted: on the way to
 * an error handler `baseUrl` is taken back.
 */
function whenRouted(request: ExpressRequest, scope: RequestScope): void {
  let route: unknown;
  Object.defineProperty(request, 'route', {
    configurable: true,
    enumerable: true,
    get: () => route,
    set(to: unknown) {
      route = to;
      const path = (to as { readonly path?: unknown } | undefined)?.path;
      // Of patterns and lists of paths it cannot be told what they stand for.
      scope.routed(typeof path === 'string' ? patternOf(request.baseUrl ?? '', path) : undefined);
    },
  });
}

function patternOf(base: string, path: string): string {
  // What the router was mounted at is known as it was requested only.
  const mounted = base === '' ? '' : pathName(base);
  return path === '/' && mounted !== '' ? mounted : mounted + path;
}
