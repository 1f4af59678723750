import type { Change, Intents } from './intents.ts';
import type { Compiled, Send } from './seam/connection-watch.ts';
import type { Statement } from './sql/statement.ts';
import type { Tables } from './tables.ts';
import type { WriteSet } from './write-set.ts';

/** What `WriteWatch` has to know of its ORM. */
export interface WriteContext {
  tables(): Tables;
  readonly intents: Intents;
  readonly unknownWrites: 'everything' | 'error' | 'ignore';
  /** Called before a statement outside any transaction. */
  prepare(connection: object, send: Send, compiled: Compiled): Promise<void> | undefined;
  /** Whether the running code is the cache's own, whose statements are nobody's business. */
  isOwnWork(): boolean;
  mayWrite(sql: string): boolean;
  analyse(sql: string): readonly Statement[];
  /** What has to be known before {@link WriteContext.changeOf}. */
  ready(): Promise<void> | undefined;
  /** Whether it is known which columns other processes tell apart. */
  knowsColumns(): boolean;
  /** The change that a set of writes is. */
  changeOf(writes: WriteSet, cause: 'commit' | 'statement', atomic: boolean): Change;
  /** Tags as the store calls them. */
  tagsOf(writes: WriteSet): readonly string[];
  /** Whether MikroORM itself sets the session anew whenever a connection is used (`sessionContext: 'connection'`). */
  readonly setsSessions: boolean;
  /** Tables, foreign keys or triggers may have been changed. */
  schemaChanged(): void;
  /** The session was changed so that statements mean something else from now on. */
  sessionChanged(parameter: string): void;
}
