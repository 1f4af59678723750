import type { Consistency } from '../consistency.ts';

/** How tokens travel between requests; every option may be left out. `Request` is what the framework calls a request. */
export interface TokenOptions<Request = unknown> {
  /**
   * The cookie for browsers; `false`: none.
   *
   * Trap: an answer that sets it belongs to one user. A shared cache that stores answers with Set-Cookie (by the standard it
   * may, when they say `Cache-Control: public` or `s-maxage`) gives that user's token to everybody.
   *
   * @default {}
   */
  readonly cookie?: TokenCookieOptions | false | undefined;
  /**
   * Name of the header for programs, of requests and answers alike; `false`: none. A token in it wins over the cookie's.
   * Scripts of another origin see it only with `Access-Control-Expose-Headers`.
   *
   * @default 'x-mikrokit-replica-token'
   */
  readonly header?: string | false | undefined;
  /**
   * Whether `x-forwarded-proto` tells if the request came by https: only behind a proxy that sets it itself.
   *
   * @default false
   */
  readonly trustProxy?: boolean | undefined;
  /** What this request's reads may miss. @default the resolver's `consistency` */
  readonly consistency?: ((request: Request) => Consistency | undefined) | undefined;
  /**
   * Whose request it is, with a `tokenStore`. Asked when the request begins: what tells the user has to run before. What it
   * throws goes where the framework takes errors.
   */
  readonly key?: ((request: Request) => string | undefined) | undefined;
}

/** The cookie that carries the token; always httpOnly. */
export interface TokenCookieOptions {
  /** Two resolvers of one site need two names. @default 'mikrokit-replica-token' */
  readonly name?: string | undefined;
  /** How long the browser keeps it, in ms (sent in seconds, rounded up). As long as replicas may be behind. @default 60000 */
  readonly maxAge?: number | undefined;
  /** Whether it is sent by https only. @default whether the request came by https, see `trustProxy` */
  readonly secure?: boolean | undefined;
  /** @default 'lax' */
  readonly sameSite?: 'strict' | 'lax' | 'none' | undefined;
  /** @default '/' */
  readonly path?: string | undefined;
  /** @default the host of the request, without its subdomains */
  readonly domain?: string | undefined;
}
