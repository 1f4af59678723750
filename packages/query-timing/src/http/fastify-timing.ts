import type { NodeResponse } from './node-head.ts';
import { type NodeRequest, runNodeScope } from './node-scope.ts';
import type { RequestTimingOptions } from './timing-options.ts';
import { type RequestTiming, timingSettings } from './timing-settings.ts';

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
  /** `url`: the pattern of its route; `undefined` where none was found. */
  readonly routeOptions: { readonly url?: string | undefined };
}

/** What is used of Fastify's reply. */
export interface FastifyReply {
  readonly raw: NodeResponse;
}

/**
 * A plugin for Fastify, `app.register(fastifyTiming(timing))`: each request of the whole application is a scope, from its
 * `onRequest` on until its answer is finished or closed, whichever is first. It is named after its route (`GET /books/:id`).
 *
 * Trap: of an answer that never ends (server-sent events) the scope never ends.
 *
 * @throws {OptionsError}
 */
export function fastifyTiming<Request extends FastifyRequest = FastifyRequest>(
  timing: RequestTiming,
  options?: RequestTimingOptions<Request>,
): (app: FastifyApp<Request>, options: unknown, done: () => void) => void {
  const settings = timingSettings('fastifyTiming()', timing, options);
  const plugin = (app: FastifyApp<Request>, _: unknown, done: () => void): void => {
    app.addHook('onRequest', (request, reply, next) => {
      const exchange = { request: request.raw, response: reply.raw, route: request.routeOptions.url };
      runNodeScope(timing, settings, exchange, request, () => next());
    });
    done();
  };
  return Object.assign(plugin, {
    // Holds for what is registered beside it, too, not only within it (as package fastify-plugin does).
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@mikrokit/query-timing',
  });
}
