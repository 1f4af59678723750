import type { QueryResultRow } from 'pg';

/** How PostgreSQL ends: `fast` writes a checkpoint, `immediate` is a crash it recovers from, `smart` waits for clients. */
export type StopMode = 'fast' | 'immediate' | 'smart';

/** One PostgreSQL server of a cluster, the primary or a replica. */
export interface PgNode {
  /** `primary`, `replica-1`, `replica-2`, … */
  readonly name: string;
  readonly port: number;
  /** The process id of the server, `undefined` while it is stopped or when it is a server of one's own. */
  readonly pid: number | undefined;
  /** Where its data is; `undefined` when it is a server of one's own. */
  readonly dataDirectory: string | undefined;
  /** A connection string. @default database 'postgres', or the one that DATABASE_URL names */
  url(database?: string): string;
  /** Starts it again, on the same port and with the same data; resolves when it accepts connections. */
  start(): Promise<void>;
  /** Resolves when its process has ended. @default mode 'fast' */
  stop(mode?: StopMode): Promise<void>;
  /**
   * SIGSTOP, SIGCONT and SIGKILL go to the server and to every process it has started: a half-frozen server would still
   * answer. Any other signal goes to the server alone. SIGKILL resolves when all of them have ended.
   */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Runs one statement over a connection of its own. */
  query<Row extends QueryResultRow = QueryResultRow>(
    sql: string,
    params?: readonly unknown[],
    database?: string,
  ): Promise<Row[]>;
}
