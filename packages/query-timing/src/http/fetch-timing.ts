import { shown } from '../checks.ts';
import { OptionsError } from '../errors.ts';
import { runFetchScope } from './fetch-scope.ts';
import type { RequestTimingOptions } from './timing-options.ts';
import { type RequestTiming, timingSettings } from './timing-settings.ts';
import { withServerTiming } from './with-server-timing.ts';

/**
 * A fetch handler, `(request: Request) => Response`, whose every request is a scope, until its answer is returned or the
 * request is aborted. What else the handler is given is passed on. It knows of no routes: `name` may tell them.
 *
 * Trap: what is queried later, while the body is streamed, is no part of it.
 *
 * @throws {OptionsError}
 */
export function fetchTiming<Rest extends unknown[]>(
  timing: RequestTiming,
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  options?: RequestTimingOptions<Request>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const settings = timingSettings('fetchTiming()', timing, options);
  if (typeof handler !== 'function') {
    throw new OptionsError(
      'handler',
      `fetchTiming(): handler is a function of the request, but got: ${shown(handler)}. Give it as the second argument.`,
    );
  }
  return (request, ...rest) =>
    runFetchScope<Request, Response>(
      timing,
      settings,
      { request, response: undefined },
      request,
      () => handler(request, ...rest),
      (answer, value) => withServerTiming(Response, answer, value),
    );
}
