import { ResultCacheError } from '../errors.ts';

/** A statement as Kysely hands it to a connection. */
export interface Compiled {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** What Kysely's connections resolve with. */
export interface Result {
  readonly rows: Record<string, unknown>[];
  readonly numAffectedRows?: bigint | undefined;
}

/** A physical connection: everything that is sent to the database passes its `executeQuery`, `begin` and `commit` included. */
export interface PhysicalConnection {
  executeQuery(compiled: Compiled, options?: unknown): Promise<Result>;
  streamQuery(compiled: Compiled, chunkSize?: number, options?: unknown): AsyncIterableIterator<Result>;
}

/** Sends a statement as it is. */
export type Send = (compiled: Compiled) => Promise<Result>;

/** Stands between Kysely and its connections. */
export interface Watcher {
  execute(connection: object, compiled: Compiled, send: Send): Promise<Result>;
  stream(
    connection: object,
    compiled: Compiled,
    send: () => AsyncIterableIterator<Result>,
  ): AsyncIterableIterator<Result>;
}

interface KyselyDriver {
  acquireConnection(...args: unknown[]): Promise<PhysicalConnection>;
}

interface Dialect {
  createDriver(): KyselyDriver;
}

/** A MikroORM connection, as far as it is made here. */
export interface WatchedConnection {
  createKysely(): unknown;
  createKyselyDialect(...args: unknown[]): Dialect | Promise<Dialect>;
  readonly options: { driverOptions?: unknown };
  readonly config: { get(name: 'driverOptions'): unknown };
}

/** What keeps a connection from being watched. */
export type Unwatchable = 'a Kysely instance in driverOptions';

/**
 * Lets `watcher` see all that goes through a MikroORM connection: its own statements, raw SQL, and Kysely's, of which
 * MikroORM itself knows nothing. To be called before its first use; a reconnect keeps it.
 *
 * Relies on `connection.createKysely()` being called for each connect, on `createKyselyDialect(options)` making the dialect,
 * on `driverOptions` being a dialect (or a function
 * that returns one) otherwise, and on Kysely's `Driver.acquireConnection()` giving out the objects that statements run on.
 */
export function watchConnection(connection: WatchedConnection, watcher: Watcher): Unwatchable | undefined {
  const create = connection.createKyselyDialect.bind(connection);
  connection.createKyselyDialect = (...args) => {
    const dialect = create(...args);
    return dialect instanceof Promise ? dialect.then(made => watched(made, watcher)) : watched(dialect, watcher);
  };
  const given = connection.options.driverOptions ?? connection.config.get('driverOptions');
  if (isKysely(given)) {
    return 'a Kysely instance in driverOptions';
  }
  if (typeof given === 'function' || isDialect(given)) {
    const createKysely = connection.createKysely.bind(connection);
    connection.createKysely = () => {
      // Anew each time: a connection that is closed forgets its options.
      connection.options.driverOptions = () => {
        const made: unknown = typeof given === 'function' ? (given as () => unknown)() : given;
        if (isKysely(made)) {
          throw unseenWrites('a Kysely instance in driverOptions');
        }
        return isDialect(made) ? watched(made, watcher) : made;
      };
      return createKysely();
    };
  }
  return undefined;
}

export function unseenWrites(why: Unwatchable): ResultCacheError {
  return new ResultCacheError(
    'UNSEEN_WRITES',
    `resultCache() has to see every write, but got: ${why}. Give MikroORM its dialect, or a function that makes it, instead.`,
  );
}

function isDialect(value: unknown): value is Dialect {
  return typeof value === 'object' && value !== null && 'createDriver' in value;
}

function isKysely(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getExecutor' in value;
}

function watched(dialect: Dialect, watcher: Watcher): Dialect {
  const seen = new WeakSet<PhysicalConnection>();
  const createDriver = dialect.createDriver.bind(dialect);
  dialect.createDriver = () => {
    const driver = createDriver();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async (...args) => {
      const connection = await acquire(...args);
      if (!seen.has(connection)) {
        seen.add(connection);
        watchPhysical(connection, watcher);
      }
      return connection;
    };
    return driver;
  };
  return dialect;
}

function watchPhysical(connection: PhysicalConnection, watcher: Watcher): void {
  const execute = connection.executeQuery.bind(connection);
  const stream = connection.streamQuery.bind(connection);
  connection.executeQuery = (compiled, options) =>
    watcher.execute(connection, compiled, other => execute(other, options));
  connection.streamQuery = (compiled, chunkSize, options) =>
    watcher.stream(connection, compiled, () => stream(compiled, chunkSize, options));
}
