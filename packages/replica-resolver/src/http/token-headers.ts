import type { ReplicaResolver } from '../resolver.ts';
import { tokenSettings } from './token-settings.ts';

/**
 * The header for a call to another service of the same database, which shall see what this session has written:
 * `fetch(url, { headers: { ...tokenHeaders(resolver) } })`, likewise for axios and metadata of gRPC. Empty when the session
 * has no token. What the other service wrote comes back by `resolver.advance(readToken(response))`.
 *
 * A job takes the token in its payload: `queue.add(name, { …, token: resolver.token() })`, and where it is done
 * `resolver.run({ token: job.data.token }, …)`. Trap: only once what the job reads is committed.
 *
 * @throws {OptionsError}
 */
export function tokenHeaders(
  resolver: Pick<ReplicaResolver, 'token'>,
  options?: { readonly header?: string | undefined },
): Record<string, string> {
  const { header } = tokenSettings('tokenHeaders()', options);
  const token = resolver.token();
  return header === undefined || token === undefined ? {} : { [header]: token };
}
