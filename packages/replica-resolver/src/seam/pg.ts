/*
 * The part of `pg` and of Kysely that is called here. `pg` belongs to MikroORM, which hands out its classes with the pool
 * that it makes; importing another copy of it would be another class.
 */

/** What a statement resolves with. */
export interface PgResult {
  /** `null` until the statement is complete. */
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: Record<string, unknown>[];
}

/** A statement on its way; anything with `submit` may be given to `client.query()`. */
export interface PgQuery {
  callback: ((error: Error | null | undefined, result?: PgResult) => void) | undefined;
  submit(connection: unknown): Error | null;
  readonly _result: PgResult & { _types: unknown };
  /** One result, or of several statements in one text an array of them; the last may not be complete. */
  readonly _results: PgResult | readonly PgResult[];
}

/** A physical connection. */
export interface PgClient {
  readonly processID: number | null;
  readonly connection: {
    on(event: 'parameterStatus', listener: (message: ParameterStatus) => void): unknown;
    readonly stream: { destroy(error?: Error): void; unref?(): void };
  };
  readonly _queryable: boolean;
  readonly _ending: boolean;
  readonly _types: unknown;
  readonly _queryQueue: PgQuery[];
  _getActiveQuery(): unknown;
  getTransactionStatus(): 'I' | 'T' | 'E' | null;
  connect(): Promise<unknown>;
  query(config: unknown, values?: unknown, callback?: unknown): unknown;
  end(): Promise<void>;
  on(event: string, listener: (argument: never) => void): unknown;
  release?: ((error?: unknown) => void) | undefined;
}

/** What the server says of a setting by itself. */
export interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

export interface PgClientClass {
  new (options: object): PgClient;
  readonly Query: new (config: { text: string; values?: readonly unknown[] | undefined }) => PgQuery;
}

/** Options of a pool, as pg-pool takes them. */
export interface PgOptions {
  host?: string;
  port?: number;
  user?: string;
  database?: string;
  password?: unknown;
  max?: number;
  min?: number;
  idleTimeoutMillis?: number;
  connectionTimeoutMillis?: number;
  maxLifetimeSeconds?: number;
  Client?: PgClientClass;
  [name: string]: unknown;
}

export interface PgPool {
  readonly options: PgOptions;
  readonly Client: PgClientClass;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  connect(callback?: PoolCallback): Promise<PgClient>;
  end(callback?: () => void): Promise<void>;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

export type PoolCallback = (
  error: Error | undefined,
  client: PgClient | undefined,
  done: (error?: unknown) => void,
) => void;

export type PgPoolClass = new (options: PgOptions) => PgPool;
