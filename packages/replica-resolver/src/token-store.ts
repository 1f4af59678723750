/**
 * Keeps for each key (a user, a tenant, whatever a scope's `key` names) the greatest token that was raised for it, where all
 * processes see it: for clients that keep no cookie, and for what is written after an answer's head was sent.
 *
 * There is no way to delete a token, on purpose. One whose deletion is decided from what was read before is deleted too
 * early: when some replica has caught up and the next read goes to another one (GitLab issue 413203), or when a greater one
 * was stored meanwhile (GitLab merge request 216379). A token that is no longer needed costs one comparison of a read, and
 * its time ends it.
 */
export interface TokenStore {
  /**
   * The token of this key, as text; `undefined`: nothing was written for it within the `ttl`.
   *
   * @throws {TokenStoreError} when the store does not answer (soon): it is not known what the session must see, so the resolver
   * reads on the primary in it. Never `undefined` instead.
   */
  get(key: string): Promise<string | undefined>;
  /**
   * Stores the token unless the one that is there is greater, in one step: of another cluster, or a higher timeline, else a
   * higher position, else not older. A smaller one changes nothing (GitLab merge request 217328), except that whatever is
   * stored lasts `ttl` more from now on at least.
   *
   * @param ttl in ms
   * @throws {TokenStoreError} when the store does not answer (soon): other sessions of this key may miss the write, or see it,
   * since what was sent may arrive yet
   */
  raise(key: string, token: string, ttl: number): Promise<void>;
}

/** The store of tokens failed or was too slow. The message has neither keys nor tokens. May be tried again. */
export class TokenStoreError extends Error {
  override readonly name = 'TokenStoreError';
  readonly code = 'TOKEN_STORE';
  readonly retryable = true;
}
