/** How requests become scopes; every option may be left out. `Request` is what the framework calls a request. */
export interface RequestTimingOptions<Request = unknown> {
  /**
   * Whether answers have the header `Server-Timing`, with the number and times of the queries that ran before its head was
   * sent: browsers show it beside the request.
   *
   * Trap: whoever sends the request can read it.
   *
   * @default in development only: unless NODE_ENV is `production` or `test`
   */
  readonly serverTiming?: boolean | undefined;
  /**
   * More tags for SQL comments, beside `method`, `route` and `traceparent` where they are known. Asked when the request
   * begins. At most 20, of at most 256 characters.
   */
  readonly tags?: ((request: Request) => Readonly<Record<string, string>> | undefined) | undefined;
  /**
   * What the scope is called. Asked when the request is over.
   *
   * @default method and route (`GET /books/:id`), of GraphQL the operation (`query Books`), else method and path, with `:id`
   * for what looks like a value in it; never with the query string
   */
  readonly name?: ((request: Request) => string | undefined) | undefined;
  /** Requests that are no scopes of their own, such as health checks. Asked when the request begins. */
  readonly ignore?: ((request: Request) => boolean) | undefined;
}
