import type { NodeResponse } from './node-head.ts';
import { type NodeRequest, runNodeScope } from './node-scope.ts';
import type { RequestTimingOptions } from './timing-options.ts';
import { type RequestTiming, timingSettings } from './timing-settings.ts';

/**
 * A listener of node:http (or https, http2) whose every request is a scope, from its first statement until its answer is
 * finished or closed, whichever is first.
 *
 * Trap: of an answer that never ends (server-sent events) the scope never ends.
 *
 * @throws {OptionsError}
 */
export function nodeTiming<Request extends NodeRequest, Response extends NodeResponse, Result>(
  timing: RequestTiming,
  listener: (request: Request, response: Response) => Result,
  options?: RequestTimingOptions<Request>,
): (request: Request, response: Response) => Result;
/** The same as middleware, for whatever calls `(request, response, next)`: what comes after it runs in the scope. */
export function nodeTiming<Request extends NodeRequest = NodeRequest>(
  timing: RequestTiming,
  options?: RequestTimingOptions<Request>,
): (request: Request, response: NodeResponse, next: () => void) => void;
export function nodeTiming(
  timing: RequestTiming,
  listener?: ((request: NodeRequest, response: NodeResponse) => unknown) | RequestTimingOptions<NodeRequest>,
  options?: RequestTimingOptions<NodeRequest>,
): (request: NodeRequest, response: NodeResponse, next: () => void) => unknown {
  const isListener = typeof listener === 'function';
  const settings = timingSettings('nodeTiming()', timing, isListener ? options : listener);
  return (request, response, next) =>
    runNodeScope(timing, settings, { request, response }, request, scope => {
      if (!isListener) {
        return next();
      }
      const result = listener(request, response);
      // Not beside the promise, but in its place: somebody handles its rejection, or nobody does, as without a scope.
      return scope !== undefined && result instanceof Promise ? endedByRejection(result, scope.end) : result;
    });
}

async function endedByRejection(result: Promise<unknown>, end: () => void): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    end();
    throw error;
  }
}
