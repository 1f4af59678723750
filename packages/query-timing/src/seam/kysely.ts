/** A dialect of Kysely, as far as it is overridden here. */
export interface Dialect {
  createDriver(): KyselyDriver;
}

export interface KyselyDriver {
  acquireConnection(...args: unknown[]): Promise<PhysicalConnection>;
  releaseConnection(connection: PhysicalConnection, ...args: unknown[]): Promise<void>;
}

/** A statement as Kysely hands it to a connection. */
export interface Compiled {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface Result {
  readonly rows: Record<string, unknown>[];
  readonly numAffectedRows?: bigint | undefined;
}

/** A physical connection: all that is sent passes its `executeQuery` or `streamQuery`, `begin` and `commit` included. */
export interface PhysicalConnection {
  executeQuery(compiled: Compiled, ...rest: unknown[]): Promise<Result>;
  streamQuery(compiled: Compiled, ...rest: unknown[]): AsyncIterableIterator<Result>;
}

export function isDialect(value: unknown): value is Dialect {
  return typeof value === 'object' && value !== null && 'createDriver' in value;
}

export function isKysely(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getExecutor' in value;
}
