import { runFetchSession } from './fetch-session.ts';
import type { TokenOptions } from './token-options.ts';
import type { SessionResolver } from './token-session.ts';
import { tokenSettings } from './token-settings.ts';

/**
 * A fetch handler, `(request: Request) => Response`, whose every request is a session: it sees what its client has written
 * before, and its answer tells the client what it wrote itself. What else the handler is given is passed on.
 *
 * Trap: the answer tells what was written before the handler returned it. What is written later, while the body is streamed,
 * the client's next request may not see, unless a `tokenStore` carries it.
 *
 * @throws {OptionsError}
 */
export function fetchTokens<Rest extends unknown[]>(
  resolver: SessionResolver,
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  options?: TokenOptions<Request>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const settings = tokenSettings('fetchTokens()', options);
  return (request, ...rest) =>
    runFetchSession<Request, Response>(
      resolver,
      settings,
      request,
      request,
      () => handler(request, ...rest),
      response => new Response(response.body, response),
    );
}
