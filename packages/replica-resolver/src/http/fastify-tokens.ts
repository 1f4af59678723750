import type { NodeResponse } from './node-head.ts';
import { type NodeRequest, runNodeSession } from './node-session.ts';
import type { TokenOptions } from './token-options.ts';
import type { SessionResolver } from './token-session.ts';
import { tokenSettings } from './token-settings.ts';

/** What is used of a Fastify instance. */
export interface FastifyApp<Request> {
  addHook(
    name: 'onRequest',
    hook: (request: Request, reply: FastifyReply, done: (error?: Error) => void) => void,
  ): unknown;
}

/** What is used of Fastify's request. */
export interface FastifyRequest {
  readonly raw: NodeRequest;
}

/** What is used of Fastify's reply. */
export interface FastifyReply {
  readonly raw: NodeResponse;
}

/**
 * A plugin for Fastify, `app.register(fastifyTokens(resolver))`: each request of the whole application is a session, from its
 * `onRequest` on. Register it after what tells the user in `onRequest`, if `key` needs it.
 *
 * Trap: the answer tells what was written before its head was sent. What is written later, while the body is streamed, the
 * client's next request may not see, unless a `tokenStore` carries it.
 *
 * @throws {OptionsError}
 */
export function fastifyTokens<Request extends FastifyRequest = FastifyRequest>(
  resolver: SessionResolver,
  options?: TokenOptions<Request>,
): (app: FastifyApp<Request>, options: unknown, done: () => void) => void {
  const settings = tokenSettings('fastifyTokens()', options);
  const plugin = (app: FastifyApp<Request>, _: unknown, done: () => void): void => {
    app.addHook('onRequest', (request, reply, next) =>
      runNodeSession(resolver, settings, { request: request.raw, response: reply.raw }, request, () => next()),
    );
    done();
  };
  return Object.assign(plugin, {
    // Holds for what is registered beside it, too, not only within it (as package fastify-plugin does).
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@mikrokit/replica-resolver',
  });
}
