/** What is asked of the page, whatever server it came through. */
export interface PageRequest {
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly url: string;
  readonly headers: Headers;
  readonly remoteAddress: string | undefined;
  /** Whether the server tells addresses: one that it does not know then is a stranger's. */
  readonly tellsAddress: boolean;
  /** The host that the client meant, with its port. */
  readonly host: string | undefined;
}
