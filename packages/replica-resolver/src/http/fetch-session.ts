import { addHeader } from './add-header.ts';
import { answerHeaders, forwardedHttps, scopeOf, type SessionResolver } from './token-session.ts';
import type { TokenSettings } from './token-settings.ts';

/** What is used of a request of fetch. */
export interface FetchRequest {
  readonly url: string;
  readonly headers: { get(name: string): string | null };
}

/** What is used of an answer of fetch. */
export interface FetchResponse {
  readonly status: number;
  readonly headers: FetchHeaders;
}

/** What is used of the headers of an answer. */
export interface FetchHeaders {
  get(name: string): string | null;
  getSetCookie(): string[];
  append(name: string, value: string): void;
}

/**
 * Runs `fn` as the session of a request of fetch, and tells the client of what it wrote.
 *
 * @param seen the request as the functions in the options know it
 * @param copied makes an answer of the same status, headers and body
 */
export function runFetchSession<Seen, Response extends FetchResponse>(
  resolver: SessionResolver,
  settings: TokenSettings<Seen>,
  request: FetchRequest,
  seen: Seen,
  fn: () => Response | Promise<Response>,
  copied: (response: Response) => Response,
): Promise<Response> {
  return resolver.run(scopeOf(settings, seen, request), async () => {
    const response = await fn();
    const headers = answerHeaders(resolver, settings, () => cameByHttps(settings, request));
    // Below 200 stands for an error or another protocol: no copy can be made, and no client would take a cookie.
    if (headers.length === 0 || !(response?.status >= 200)) {
      return response;
    }
    // Never the answer itself: it may be immutable, or one that the application gives to several clients.
    const copy = copied(response);
    const holder = {
      values: (name: string) => fetchValues(copy.headers, name),
      add: (name: string, value: string) => copy.headers.append(name, value),
    };
    headers.forEach(header => addHeader(holder, header));
    return copy;
  });
}

/** Whether a request of fetch came by https. */
export function cameByHttps({ trustProxy }: TokenSettings<never>, { url, headers }: FetchRequest): boolean {
  return /^https:/i.test(url) || (trustProxy && forwardedHttps(headers.get('x-forwarded-proto')));
}

/** The values that there are of a header. */
export function fetchValues(headers: FetchHeaders, name: string): readonly string[] {
  return name === 'set-cookie' ? headers.getSetCookie() : [headers.get(name) ?? []].flat();
}
