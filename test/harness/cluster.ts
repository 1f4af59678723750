import type { PgNode } from './pg-node.ts';

export interface ClusterOptions {
  /** How many streaming replicas. @default 0 */
  readonly replicas?: number | undefined;
  /** More lines of `postgresql.conf` for every node, e.g. `shared_preload_libraries = 'pg_stat_statements'`. */
  readonly conf?: readonly string[] | undefined;
  /** Where the data is. @default a new temporary folder */
  readonly dataDir?: string | undefined;
  /**
   * Keeps the data when the cluster stops, in a form that survives a crash; the next start with the same `dataDir`
   * finds it. Needs `dataDir`. @default false
   */
  readonly keepData?: boolean | undefined;
  /** Embedded servers even where DATABASE_URL names others: for tests that stop, freeze or configure servers. @default false */
  readonly embedded?: boolean | undefined;
  /** Receives a line per step that takes noticeable time. */
  readonly log?: ((line: string) => void) | undefined;
}

/** A primary and its streaming replicas. */
export interface Cluster {
  readonly primary: PgNode;
  readonly replicas: readonly PgNode[];
  /** Makes a database on the primary and resolves with its url there; replicas have it a moment later. */
  createDatabase(name: string): Promise<string>;
  /** Drops a database, connected clients or not; one that does not exist is no error. */
  dropDatabase(name: string): Promise<void>;
  /** Starts one more replica from a copy of the running primary. */
  addReplica(): Promise<PgNode>;
  /** Resolves when every running replica has replayed all that the primary had written when it was called. */
  caughtUp(timeout?: number): Promise<void>;
  /** Stops every server and removes its files, or keeps them when `keepData` was set. May be called again. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
