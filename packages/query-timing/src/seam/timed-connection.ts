import { performance } from 'node:perf_hooks';
import { QueryTimingError } from '../errors.ts';
import { Lease } from '../lease.ts';
import type { LogContext } from '../open-query.ts';
import { type PoolCounts, PoolStats } from '../pool-stats.ts';
import type { Recorder } from '../recorder.ts';
import { type Dialect, isDialect, isKysely, type PhysicalConnection, type Result } from './kysely.ts';
import { timeCreation, withPools } from './pool-events.ts';

/** MikroORM's `onCreateConnection`. */
type Hook = (physical: PhysicalConnection, ...rest: unknown[]) => Promise<void>;

/** A MikroORM connection, as far as it is overridden here. */
export interface TimedConnection {
  executeQuery(query: string, send: () => Promise<unknown>, context?: LogContext, ...rest: unknown[]): Promise<unknown>;
  createKysely(): unknown;
  createKyselyDialect(...args: unknown[]): Dialect | Promise<Dialect>;
  getNativeClient(): Promise<unknown>;
  readonly options: {
    driverOptions?: unknown;
    onCreateConnection?: Hook | undefined;
    name?: string | undefined;
    host?: string;
    port?: number;
  };
  readonly config: {
    get(name: 'driverOptions'): unknown;
    get(name: 'onCreateConnection'): Hook | undefined;
    get(name: 'name'): string | undefined;
  };
}

/** What is done with what is sent, beside timing it. */
export interface Sending {
  readonly recorder: Recorder;
  /** The text to be sent for a statement: with a comment. */
  outgoing(sql: string, hasComment: boolean, isControl: boolean): string;
  /** A physical connection that was not seen before. */
  opened(lease: Lease, query: (sql: string) => Promise<unknown>): Promise<void> | undefined;
  pool(pool: PoolStats): void;
  /** A connection was opened. @param took in µs */
  created(pool: string, took: number): void;
  /** A connection was given back. @param wait for it, and @param use of it, in µs */
  released(pool: string, wait: number, use: number): void;
  /** A connection of MikroORM is about to be used for the first time, or again after it was closed. */
  connects(): void;
  /** The pool of the driver. */
  native(pool: object): void;
  /** What a server says beside its answers. */
  notice(message: string): void;
}

/**
 * Times all that goes through a MikroORM connection: its own statements, raw SQL, transactions, streams, and Kysely's, of
 * which MikroORM itself knows nothing. To be called before its first use; a reconnect keeps it.
 *
 * Relies on `executeQuery(query, send, context)` being where MikroORM hands over each of its own statements, `context`
 * having `query`, `params`, `formatted` and `id`; on `createKysely()` being called for each connect and `createKyselyDialect()`
 * making the dialect, or `driverOptions` being one; on `options.onCreateConnection` being read then, before that of the config,
 * and called before `onReserveConnection`; and on Kysely's `Driver.acquireConnection()` giving out the objects that
 * statements run on.
 * @throws QueryTimingError for what cannot be timed: a Kysely instance in `driverOptions`
 */
export function timeConnection(connection: TimedConnection, role: 'primary' | 'replica', sending: Sending): void {
  const { recorder } = sending;
  const pool = new PoolStats(nameOf(connection, role), role);
  sending.pool(pool);
  const executeQuery = connection.executeQuery.bind(connection);
  connection.executeQuery = (query, send, context, ...rest) =>
    recorder.handedOver(query, context, pool, () => executeQuery(query, send, context, ...rest));

  const physicals = new PhysicalConnections(pool, sending);
  const create = connection.createKyselyDialect.bind(connection);
  const timed = (dialect: Dialect): Dialect => timeDialect(dialect, connection, physicals, pool, sending);
  connection.createKyselyDialect = (overrides, ...args) => {
    const { options } = connection;
    const own = withPools(overrides, made => timeCreation(made, took => sending.created(pool.name, took)));
    const { onCreateConnection } = options;
    const hook = onCreateConnection ?? connection.config.get('onCreateConnection');
    // Before the hooks of the user, which have statements, too.
    options.onCreateConnection = async (physical, ...rest) => {
      physicals.of(physical);
      await hook?.(physical, ...rest);
    };
    try {
      const dialect = create(own, ...args);
      return dialect instanceof Promise ? dialect.then(timed) : timed(dialect);
    } finally {
      options.onCreateConnection = onCreateConnection;
    }
  };
  const given = connection.options.driverOptions ?? connection.config.get('driverOptions');
  if (isKysely(given)) {
    throw cannotTime();
  }
  if (typeof given === 'function' || isDialect(given)) {
    const createKysely = connection.createKysely.bind(connection);
    connection.createKysely = () => {
      // Anew each time: a connection that is closed forgets its options.
      connection.options.driverOptions = () => {
        const made: unknown = typeof given === 'function' ? (given as () => unknown)() : given;
        if (isKysely(made)) {
          throw cannotTime();
        }
        return isDialect(made) ? timed(made) : made;
      };
      return createKysely();
    };
  }
}

function cannotTime(): QueryTimingError {
  return new QueryTimingError(
    'UNSUPPORTED',
    'queryTiming() has to see every query, but got: a Kysely instance in driverOptions. ' +
      'Give MikroORM its dialect, or a function that makes it, instead.',
  );
}

/** As MikroORM calls it in its log, but with the port: several servers may be on one host. */
function nameOf({ options, config }: TimedConnection, role: string): string {
  const { host, port, name = role === 'primary' ? config.get('name') : undefined } = options;
  return name ?? (host === undefined ? role : `${host}:${port ?? 5432}`);
}

interface Known {
  readonly lease: Lease;
  /** Asks it something that is not timed. */
  readonly ask: (sql: string) => Promise<unknown>;
  isSetUp: boolean;
}

/** Those of one pool, each timed from when it was seen first. */
class PhysicalConnections {
  readonly #pool: PoolStats;
  readonly #sending: Sending;
  readonly #all = new WeakMap<PhysicalConnection, Known>();

  constructor(pool: PoolStats, sending: Sending) {
    this.#pool = pool;
    this.#sending = sending;
  }

  of(physical: PhysicalConnection): Known {
    let known = this.#all.get(physical);
    if (known === undefined) {
      const execute = physical.executeQuery.bind(physical);
      const lease = new Lease(this.#pool);
      known = { lease, ask: sql => execute({ sql, parameters: [] }), isSetUp: false };
      this.#all.set(physical, known);
      this.#pool.created++;
      timePhysical(physical, lease, this.#sending);
    }
    return known;
  }
}

function timeDialect(
  dialect: Dialect,
  connection: TimedConnection,
  physicals: PhysicalConnections,
  pool: PoolStats,
  sending: Sending,
): Dialect {
  const { recorder } = sending;
  const createDriver = dialect.createDriver.bind(dialect);
  dialect.createDriver = () => {
    const driver = createDriver();
    sending.connects();
    // Where it is was not known before.
    pool.name = nameOf(connection, pool.role);
    const acquire = driver.acquireConnection.bind(driver);
    const release = driver.releaseConnection.bind(driver);
    let isFirst = true;
    driver.acquireConnection = async (...args) => {
      const asked = performance.now();
      pool.asked();
      let physical: PhysicalConnection;
      try {
        physical = await acquire(...args);
      } catch (error) {
        pool.refused(/timeout/i.test(String((error as Error | undefined)?.message)));
        recorder.refused(pool, error);
        throw error;
      }
      const known = physicals.of(physical);
      const { lease } = known;
      const now = performance.now();
      pool.given(lease, now, now - asked);
      if (isFirst) {
        isFirst = false;
        void learn(connection, pool, sending);
      }
      if (!known.isSetUp) {
        known.isSetUp = true;
        // Before it is given out: what is set up is set up for its first statement, too.
        await sending.opened(lease, known.ask);
      }
      return physical;
    };
    driver.releaseConnection = (physical, ...args) => {
      const { lease } = physicals.of(physical);
      if (lease.acquiredAt > 0) {
        const now = performance.now();
        sending.released(pool.name, lease.waited * 1000, (now - lease.acquiredAt) * 1000);
        pool.takenBack(lease, now);
      }
      return release(physical, ...args);
    };
    return driver;
  };
  return dialect;
}

/** What the pool tells of itself: not there for a dialect of the user's own. */
async function learn(connection: TimedConnection, pool: PoolStats, sending: Sending): Promise<void> {
  try {
    const native = (await connection.getNativeClient()) as Partial<PoolCounts> | undefined;
    if (typeof native?.totalCount === 'number') {
      pool.counts = native as PoolCounts;
      sending.native(native);
    }
  } catch {
    // Nothing is known then, and nothing is missing but the number of idle connections.
  }
}

function timePhysical(physical: PhysicalConnection, lease: Lease, { recorder, outgoing }: Sending): void {
  const execute = physical.executeQuery.bind(physical);
  const stream = physical.streamQuery.bind(physical);

  physical.executeQuery = async (compiled, ...rest) => {
    const { sql, parameters } = compiled;
    const query = recorder.begin(lease, sql);
    const { shape } = query;
    const text = outgoing(sql, shape.hasComment, shape.kind === 'transaction');
    const sent = execute(text === sql ? compiled : { ...compiled, sql: text }, ...rest);
    recorder.written(query);
    let result: Result;
    try {
      result = await sent;
    } catch (error) {
      recorder.failed(lease, query, sql, parameters, error);
      throw error;
    }
    recorder.answered(lease, query, sql, parameters, result.rows, result.numAffectedRows);
    return result;
  };

  physical.streamQuery = async function* (compiled, ...rest) {
    const { sql, parameters } = compiled;
    const query = recorder.begin(lease, sql);
    query.operation = 'stream';
    const { shape } = query;
    const text = outgoing(sql, shape.hasComment, false);
    let rows = 0;
    let paused = 0;
    let givenAt = 0;
    const taken = (): void => {
      if (givenAt > 0) {
        paused += performance.now() - givenAt;
        givenAt = 0;
      }
    };
    try {
      const results = stream(text === sql ? compiled : { ...compiled, sql: text }, ...rest);
      recorder.written(query);
      for await (const result of results) {
        rows += result.rows.length;
        givenAt = performance.now();
        yield result;
        taken();
      }
    } catch (error) {
      recorder.failed(lease, query, sql, parameters, error);
      throw error;
    } finally {
      // Also when its reader stops early.
      if (!query.isAnswered) {
        taken();
        recorder.streamed(lease, query, sql, parameters, rows, paused);
      }
    }
  };
}
