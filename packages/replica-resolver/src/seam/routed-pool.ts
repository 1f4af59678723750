import { callbackify } from 'node:util';
import type { NodeClient } from './node-client.ts';
import type { PoolCounts } from './node-pool.ts';
import type { PgPool, PoolCallback } from './pg.ts';

/** What gives out connections in place of a pool. */
export interface ConnectionSource {
  connect(): Promise<NodeClient>;
  /** Of all its nodes together. */
  counts(): PoolCounts;
}

interface PhysicalConnection {
  cancelQuery(...args: unknown[]): Promise<unknown>;
  killSession(...args: unknown[]): Promise<unknown>;
}

interface KyselyDriver {
  acquireConnection(...args: unknown[]): Promise<PhysicalConnection>;
}

interface Dialect {
  createDriver(): KyselyDriver;
}

/** A MikroORM connection, as far as it is made here. */
export interface DialectMaker {
  createKyselyDialect(overrides: object | undefined): Dialect;
}

/** The connection that was asked for last. */
interface Asked {
  last: Promise<NodeClient> | undefined;
}

/**
 * Lets a MikroORM connection take its physical connections from `source`, whichever server they lead to. Its own pool stays
 * as what `getNativeClient()` returns, and never connects.
 *
 * Relies on `createKyselyDialect(overrides)` making the pool and telling `overrides.onPoolCreated` of it, on Kysely calling
 * nothing of a pool but `connect()` and `end()`, the former as the first thing of `acquireConnection()`, and on `cancelQuery()` and `killSession()` of its connections being how it
 * aborts what runs.
 */
export function routeConnections(connection: DialectMaker, source: ConnectionSource): void {
  const create = connection.createKyselyDialect.bind(connection);
  connection.createKyselyDialect = overrides => {
    const asked: Asked = { last: undefined };
    const connect = (): Promise<NodeClient> => (asked.last = source.connect());
    const dialect = create({ ...overrides, onPoolCreated: (pool: PgPool) => takeOver(pool, connect, source) });
    const createDriver = dialect.createDriver.bind(dialect);
    dialect.createDriver = () => cancelWhereItRuns(createDriver(), asked);
    return dialect;
  };
}

function takeOver(pool: PgPool, connect: () => Promise<NodeClient>, source: ConnectionSource): void {
  Object.defineProperties(pool, {
    connect: {
      value: (callback?: PoolCallback) => {
        if (callback === undefined) {
          return connect();
        }
        // pg's own form of it: whoever calls `pool.query()`.
        callbackify(connect)((error, client) => callback(error ?? undefined, client, client?.release ?? noRelease));
        return undefined;
      },
    },
    // The nodes' own pools are ended when the ORM is closed.
    end: { value: () => Promise.resolve() },
    totalCount: { get: () => source.counts().total },
    idleCount: { get: () => source.counts().idle },
    waitingCount: { get: () => source.counts().waiting },
  });
}

function noRelease(): void {}

/**
 * Kysely cancels a statement by the id of its server process, on a connection to where the pool leads. Here that may be
 * another server, where the same id is somebody else.
 */
function cancelWhereItRuns(driver: KyselyDriver, asked: Asked): KyselyDriver {
  const seen = new WeakSet<PhysicalConnection>();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async (...args) => {
    const acquired = acquire(...args);
    // Kysely asks the pool at once, before anybody else can.
    const given = asked.last;
    asked.last = undefined;
    let connection: PhysicalConnection;
    try {
      connection = await acquired;
    } catch (error) {
      // Kysely does not give back a connection whose `onReserveConnection` has failed.
      await given?.then(
        client => client.release?.(),
        () => undefined,
      );
      throw error;
    }
    if (given !== undefined && !seen.has(connection)) {
      seen.add(connection);
      const client = await given;
      connection.cancelQuery = () => control(client, 'select pg_cancel_backend($1)');
      connection.killSession = () => control(client, 'select pg_terminate_backend($1)');
    }
    return connection;
  };
  return driver;
}

/** Tells the server of `client` to stop what it is doing, unless it is doing something else by then. */
async function control(client: NodeClient, text: string): Promise<unknown> {
  const running = client._getActiveQuery();
  if (running === null || running === undefined) {
    return undefined;
  }
  const other = client.another();
  try {
    await other.connect();
    return client._getActiveQuery() === running ? await other.query(text, [client.processID]) : undefined;
  } finally {
    void other.end().catch(() => undefined);
  }
}
