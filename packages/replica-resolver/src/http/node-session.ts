import { AsyncLocalStorage } from 'node:async_hooks';
import { atHead, type NodeResponse } from './node-head.ts';
import { answerHeaders, forwardedHttps, scopeOf, type SessionResolver } from './token-session.ts';
import type { TokenSettings } from './token-settings.ts';

/** What is used of a request of node:http or node:http2. */
export interface NodeRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: object | null;
  emit(...args: never[]): boolean;
}

/** A request of node:http and its answer. */
export interface NodeExchange {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
}

/**
 * Runs `fn` as the session of a request, and tells the client of what it wrote.
 *
 * @param seen the request as the functions in the options know it
 * @returns what `fn` returns
 */
export function runNodeSession<Seen, T>(
  resolver: SessionResolver,
  settings: TokenSettings<Seen>,
  { request, response }: NodeExchange,
  seen: Seen,
  fn: () => T,
): T {
  const https = (): boolean =>
    (request.socket as { encrypted?: unknown } | null)?.encrypted === true ||
    (settings.trustProxy && forwardedHttps(request.headers['x-forwarded-proto']));
  return resolver.run(scopeOf(settings, seen, request), () => {
    const inSession = AsyncLocalStorage.snapshot();
    keepSession(request, inSession);
    keepSession(response, inSession);
    // Whoever sends the head may have left the session.
    atHead(response, () => inSession(() => answerHeaders(resolver, settings, https)));
    return fn();
  });
}

type Run = <T>(fn: () => T) => T;

interface Emitter {
  [RUN]?: Run;
  emit(...args: never[]): boolean;
}

/** Shared with the other packages that do this, so that the later one's context, which has the earlier ones', holds. */
const RUN = Symbol.for('mikrokit.http.inside');

/**
 * Node.js emits a request's events (its body's) and an answer's outside of what the listener had begun. Were a body's `end`
 * left there, all that a server does after it (Fastify: the whole handler) would be no part of the session. When two
 * resolvers do this, the later one's snapshot has both sessions.
 */
function keepSession(emitter: Emitter, run: Run): void {
  const isKept = emitter[RUN] !== undefined;
  emitter[RUN] = run;
  if (isKept) {
    return;
  }
  const { emit } = emitter;
  emitter.emit = (...args) => emitter[RUN]!(() => emit.apply(emitter, args));
}
