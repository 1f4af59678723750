import type { NodeResponse } from './node-head.ts';
import { type NodeRequest, runNodeSession } from './node-session.ts';
import type { TokenOptions } from './token-options.ts';
import type { SessionResolver } from './token-session.ts';
import { tokenSettings } from './token-settings.ts';

/**
 * A listener of node:http (or https, http2) whose every request is a session: it sees what its client has written before,
 * and its answer tells the client what it wrote itself.
 *
 * Trap: the answer tells what was written before its head was sent. What is written later, while the body is streamed, the
 * client's next request may not see, unless a `tokenStore` carries it.
 *
 * @throws {OptionsError}
 */
export function nodeTokens<Request extends NodeRequest, Response extends NodeResponse, Result>(
  resolver: SessionResolver,
  listener: (request: Request, response: Response) => Result,
  options?: TokenOptions<Request>,
): (request: Request, response: Response) => Result {
  const settings = tokenSettings('nodeTokens()', options);
  return (request, response) =>
    runNodeSession(resolver, settings, { request, response }, request, () => listener(request, response));
}
