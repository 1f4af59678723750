import { runFetchSession } from './fetch-session.ts';
import type { TokenOptions } from './token-options.ts';
import type { SessionResolver } from './token-session.ts';
import { tokenSettings } from './token-settings.ts';

/** What is used of a plugin's `onRequest` of GraphQL Yoga. */
export interface YogaRequest {
  readonly fetchAPI: { readonly Response: unknown };
  readonly requestHandler: YogaHandler;
  setRequestHandler(handler: YogaHandler): void;
}

/** How Yoga answers a request. */
export type YogaHandler = (request: Request, context: never) => Response | Promise<Response>;

/** A plugin of GraphQL Yoga. */
export interface YogaTokens {
  onRequest(payload: YogaRequest): void;
}

/**
 * A plugin for GraphQL Yoga, `createYoga({ plugins: [yogaTokens(resolver)] })`: each request is a session, with all the
 * operations in it.
 *
 * Trap: the answer tells what was written before it began. Of a subscription, `@defer` and `@stream` that is nothing that
 * comes with later events; the client's next request may not see it, unless a `tokenStore` carries it.
 *
 * @throws {OptionsError}
 */
export function yogaTokens(resolver: SessionResolver, options?: TokenOptions<Request>): YogaTokens {
  const settings = tokenSettings('yogaTokens()', options);
  return {
    onRequest({ fetchAPI, requestHandler, setRequestHandler }) {
      const { Response: Made } = fetchAPI as { readonly Response: typeof Response };
      setRequestHandler((request, context) =>
        runFetchSession<Request, Response>(
          resolver,
          settings,
          request,
          request,
          () => requestHandler(request, context),
          ({ body, status, statusText, headers }) => new Made(body, { status, statusText, headers }),
        ),
      );
    },
  };
}
