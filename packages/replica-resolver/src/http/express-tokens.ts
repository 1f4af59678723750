import type { NodeResponse } from './node-head.ts';
import { type NodeRequest, runNodeSession } from './node-session.ts';
import type { TokenOptions } from './token-options.ts';
import type { SessionResolver } from './token-session.ts';
import { tokenSettings } from './token-settings.ts';

/**
 * Middleware for Express, Connect and whatever calls `(request, response, next)`: what comes after it runs in the session of
 * the request. Before everything that reads or writes; after what tells the user, if `key` needs it.
 *
 * Trap: the answer tells what was written before its head was sent. What is written later, while the body is streamed, the
 * client's next request may not see, unless a `tokenStore` carries it.
 *
 * @throws {OptionsError}
 */
export function expressTokens<Request extends NodeRequest = NodeRequest>(
  resolver: SessionResolver,
  options?: TokenOptions<Request>,
): (request: Request, response: NodeResponse, next: () => void) => void {
  const settings = tokenSettings('expressTokens()', options);
  return (request, response, next) => runNodeSession(resolver, settings, { request, response }, request, () => next());
}
