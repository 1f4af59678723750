import { addHeader } from './add-header.ts';
import { cameByHttps, type FetchRequest, type FetchResponse, fetchValues } from './fetch-session.ts';
import type { TokenOptions } from './token-options.ts';
import { answerHeaders, scopeOf, type SessionResolver } from './token-session.ts';
import { tokenSettings } from './token-settings.ts';

/** What is used of Hono's context. */
export interface HonoContext {
  readonly req: { readonly raw: FetchRequest };
  readonly res: FetchResponse;
  header(name: string, value: string, options?: { append?: boolean }): void;
}

/**
 * Middleware for Hono, `app.use(honoTokens(resolver))`: what comes after it runs in the session of the request. Before
 * everything that reads or writes; after what tells the user, if `key` (which is given the context) needs it.
 *
 * Trap: the answer tells what was written before the handler returned it. What is written later, while the body is streamed,
 * the client's next request may not see, unless a `tokenStore` carries it.
 *
 * @throws {OptionsError}
 */
export function honoTokens<Context extends HonoContext = HonoContext>(
  resolver: SessionResolver,
  options?: TokenOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<void> {
  const settings = tokenSettings('honoTokens()', options);
  return (context, next) =>
    resolver.run(scopeOf(settings, context, context.req.raw), async () => {
      await next();
      const headers = answerHeaders(resolver, settings, () => cameByHttps(settings, context.req.raw));
      // Below 200 stands for an error or another protocol: no client would take a cookie.
      if (headers.length === 0 || context.res.status < 200) {
        return;
      }
      const holder = {
        values: (name: string) => fetchValues(context.res.headers, name),
        add: (name: string, value: string) => context.header(name, value, { append: true }),
      };
      headers.forEach(header => addHeader(holder, header));
    });
}
