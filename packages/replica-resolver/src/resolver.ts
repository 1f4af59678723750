import type { MikroORM } from '@mikro-orm/core';
import type { Consistency } from './consistency.ts';
import type { ResolverEvents } from './events.ts';
import type { Snapshot } from './snapshot.ts';

/** One request or job: what it has written, its reads show. */
export interface Scope {
  /** What an earlier scope of the same user returned from `token()`: its writes are seen, too. One that is malformed, forged, of another cluster or too old is ignored (event `token.rejected`). */
  readonly token?: string | null | undefined;
  /** @default the resolver's `consistency` */
  readonly consistency?: Consistency | undefined;
  /** With a `tokenStore`: whose token it is. Read before `fn` runs, raised when it has written. */
  readonly key?: string | undefined;
}

/** What `replicaResolver()` returns: the extension, and its handles. */
export interface ReplicaResolver {
  /** Called by MikroORM for each of `extensions`. */
  register(orm: MikroORM): void;
  /**
   * Runs `fn` as one session. Scopes nest: an inner one begins with the token of the outer, and hands back what it wrote.
   * @returns what `fn` returns
   */
  run<T>(scope: Scope, fn: () => T): T;
  /** Runs `fn` with another consistency, in the session that is current. */
  withConsistency<T>(consistency: Consistency, fn: () => T): T;
  /**
   * What this session has written last, to be handed to another process (cookie, header, job): `run({ token }, …)` there
   * sees it. `undefined` when it has written nothing and was given nothing.
   */
  token(): string | undefined;
  /** Whether this session has written since it began, or was told by `advance()` of somebody who has. */
  wrote(): boolean;
  /** Takes over a token in the middle of a session, e.g. one that came back from another service. */
  advance(token: string | null | undefined): void;
  /**
   * Each node as it is now: role, state, lag, load, pool, last error. Costs no query. Before the first query of the ORM it
   * begins to look at the nodes, as `ready()` does; after `orm.close()` it begins nothing, and tells what was known then.
   */
  snapshot(): Snapshot;
  /** Gives no more reads to a replica; those under way end. @param node its name, or `host:port` */
  drain(node: string): void;
  /** Takes it back. */
  undrain(node: string): void;
  /** Hears of what happens. A listener that throws is ignored. @returns stops it */
  on<Name extends keyof ResolverEvents>(event: Name, listener: (event: ResolverEvents[Name]) => void): () => void;
  /** Resolves when each node has been probed once and the primary is known; rejects after `timeout` ms. @default 5000 */
  ready(timeout?: number): Promise<void>;
}
