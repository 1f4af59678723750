import type { ReplicaResolver, Scope } from '../resolver.ts';
import { tokenOf, type TokenSource } from './read-token.ts';
import type { TokenSettings } from './token-settings.ts';

/** What is used of a resolver to run a request as a session. */
export type SessionResolver = Pick<ReplicaResolver, 'run' | 'token' | 'wrote'>;

/** A header of an answer: its name in lower case, and its value. */
export type AnswerHeader = readonly [name: string, value: string];

/** @param request what the functions in the options are given */
export function scopeOf<Request>(settings: TokenSettings<Request>, request: Request, headers: TokenSource): Scope {
  return {
    token: tokenOf(headers, settings),
    consistency: settings.consistency?.(request),
    key: settings.key?.(request),
  };
}

/**
 * What tells the client of what the current session has written since it began; nothing when it only read, so that the
 * answers to most requests can be cached, and a token is never shortened or taken away because some replica has caught up.
 *
 * @param https whether the request came so
 */
export function answerHeaders(
  resolver: SessionResolver,
  { cookie, header }: TokenSettings<never>,
  https: () => boolean,
): readonly AnswerHeader[] {
  const token = resolver.wrote() ? resolver.token() : undefined;
  if (token === undefined) {
    return [];
  }
  const headers: AnswerHeader[] = [];
  if (cookie !== undefined) {
    const secure = (cookie.secure ?? https()) ? '; Secure' : '';
    headers.push(['set-cookie', `${cookie.name}=${token}${cookie.attributes}${secure}`]);
  }
  if (header !== undefined) {
    headers.push([header, token]);
  }
  return headers;
}

/** What a chain of proxies says of the request: the first is the one that the client spoke with. */
export function forwardedHttps(value: unknown): boolean {
  const text: unknown = Array.isArray(value) ? value[0] : value;
  return typeof text === 'string' && text.split(',', 1)[0]!.trim().toLowerCase() === 'https';
}
