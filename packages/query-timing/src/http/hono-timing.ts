import { type FetchRequest, runFetchScope } from './fetch-scope.ts';
import type { NodeResponse } from './node-head.ts';
import type { RequestTimingOptions } from './timing-options.ts';
import { type RequestTiming, timingSettings } from './timing-settings.ts';

/** What is used of Hono's context. */
export interface HonoContext {
  readonly req: {
    readonly raw: FetchRequest;
    /** Of everything that the request may pass, middleware and handlers, in this order. */
    readonly matchedRoutes?: readonly { readonly path: string }[];
    /** Of what ran last. */
    readonly routePath?: string;
  };
  readonly res: { readonly status: number };
  /** On Node.js, `outgoing` is its answer. */
  readonly env?: unknown;
  header(name: string, value: string, options?: { append?: boolean }): void;
}

/**
 * Middleware for Hono, `app.use(honoTiming(timing))`: what comes after it runs in the scope of the request, which is named
 * after the route that answered (`GET /books/:id`). Before everything that queries.
 *
 * Trap: behind `@hono/node-server` the scope is over when the answer is finished or closed; elsewhere when it is returned, and
 * what is queried later, while the body is streamed, is no part of it.
 *
 * @throws {OptionsError}
 */
export function honoTiming<Context extends HonoContext = HonoContext>(
  timing: RequestTiming,
  options?: RequestTimingOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<void> {
  const settings = timingSettings('honoTiming()', timing, options);
  return (context, next) =>
    runFetchScope<Context, void>(
      timing,
      settings,
      {
        request: context.req.raw,
        route: patternOf(context.req.matchedRoutes?.at(-1)?.path),
        response: (context.env as { readonly outgoing?: NodeResponse } | undefined)?.outgoing,
      },
      context,
      async scope => {
        await next();
        scope?.routed(patternOf(context.req.routePath));
      },
      (_, value) => {
        // Below 200 stands for an error or another protocol.
        if (context.res.status >= 200) {
          context.header('server-timing', value, { append: true });
        }
      },
    );
}

/** `undefined` for middleware of everything: nothing else has answered. */
function patternOf(path: string | undefined): string | undefined {
  return path === '/*' ? undefined : path;
}
