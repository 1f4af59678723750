import { cookieValue } from './cookie-value.ts';
import type { TokenOptions } from './token-options.ts';
import { type TokenSettings, tokenSettings } from './token-settings.ts';

/** Headers by name: `Headers` of fetch and what resembles them, or a record with names in lower case as Node.js has it. */
export type HeadersSource = { get(name: string): unknown } | Readonly<Record<string, unknown>>;

/** Headers, or what has them: a request or an answer of node:http, Express, Fastify, fetch. */
export type TokenSource = HeadersSource | { readonly headers: HeadersSource };

/**
 * The token that a request brought, or an answer of another service: `resolver.advance(readToken(response))`. The header's,
 * else the cookie's; of several in one of them the first. What cannot be a token (too long, other characters, quoted,
 * encoded) is as good as absent; whether one is genuine the resolver decides.
 *
 * @throws {OptionsError} for wrong options; whatever the headers hold, it does not throw
 */
export function readToken(
  source: TokenSource,
  options?: Pick<TokenOptions, 'header'> & { readonly cookie?: { readonly name?: string } | false },
): string | undefined {
  return tokenOf(source, tokenSettings('readToken()', options));
}

/** `readToken()` with settings that were checked before. */
export function tokenOf(source: TokenSource, settings: Pick<TokenSettings, 'cookie' | 'header'>): string | undefined {
  const headers = hasHeaders(source) ? source.headers : source;
  const first = settings.header === undefined ? undefined : firstOf(valueOf(headers, settings.header), ',');
  return plausible(first) ?? plausible(fromCookie(headers, settings));
}

function fromCookie(headers: HeadersSource, { cookie }: Pick<TokenSettings, 'cookie'>): string | undefined {
  const text = cookie && firstOf(valueOf(headers, 'cookie'));
  return text === undefined ? undefined : cookieValue(text, cookie!.name);
}

function hasHeaders(source: TokenSource): source is { readonly headers: HeadersSource } {
  return typeof source['headers' as never] === 'object' && source['headers' as never] !== null;
}

function valueOf(headers: HeadersSource, name: string): unknown {
  if (typeof headers.get === 'function') {
    return headers.get(name);
  }
  return (headers as Readonly<Record<string, unknown>>)[name];
}

/** Node.js and fetch join headers that came several times with commas; metadata of gRPC is a list. */
function firstOf(value: unknown, separator?: string): string | undefined {
  const text: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof text !== 'string') {
    return undefined;
  }
  const end = separator === undefined ? -1 : text.indexOf(separator);
  return end === -1 ? text : text.slice(0, end).trim();
}

/** The characters and the length of the text of a token, see `../token-text.ts`. */
function plausible(text: string | undefined): string | undefined {
  return text !== undefined && text.length <= 160 && /^[\w.-]+$/.test(text) ? text : undefined;
}
