import type { LogContext, Logger, MikroORM } from '@mikro-orm/core';

/** One statement as MikroORM reported it, after it had ended. */
export interface RecordedQuery {
  /** With `?` for each value. */
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly via: 'write' | 'read';
  /** The name of the connection: of the server, as configured in `replicas`, or its host. */
  readonly name: string;
  /** Milliseconds, whole ones; `undefined` for transaction control and streams, which MikroORM does not time. */
  readonly took: number | undefined;
  readonly failed: boolean;
}

export interface Recorder {
  /** What was recorded since the start or the last `take()`. */
  readonly queries: readonly RecordedQuery[];
  /** The SQL alone, of the same queries. */
  readonly sql: readonly string[];
  /** Returns the queries and forgets them. */
  take(): RecordedQuery[];
  /** Forgets the queries. */
  clear(): void;
  /** Records no more; what was recorded stays. */
  stop(): void;
  [Symbol.dispose](): void;
}

type Listener = (query: RecordedQuery) => void;
type AnyOrm = Pick<MikroORM, 'config'>;

/** Who listens to the logger of an ORM. Several recorders share one wrapper. */
const listenersOf = new WeakMap<Logger, Set<Listener>>();

/**
 * Records every statement that `orm` runs, through whichever API, whatever its `debug` option. MikroORM calls its logger
 * for each query even when nothing is to be printed; we listen there and pass the call on.
 *
 * Not seen: `em.getKysely()`, which MikroORM does not log, and BEGIN, COMMIT and so on when run as plain SQL on a pool
 * of one's own.
 */
export function recordQueries(orm: AnyOrm): Recorder {
  const listeners = listen(orm.config.getLogger());
  let queries: RecordedQuery[] = [];
  const listener: Listener = query => void queries.push(query);
  listeners.add(listener);
  const take = (): RecordedQuery[] => {
    const taken = queries;
    queries = [];
    return taken;
  };
  const stop = (): void => void listeners.delete(listener);
  return {
    get queries() {
      return queries;
    },
    get sql() {
      return queries.map(query => query.sql);
    },
    take,
    clear: () => void take(),
    stop,
    [Symbol.dispose]: stop,
  };
}

function listen(logger: Logger): Set<Listener> {
  const known = listenersOf.get(logger);
  if (known) {
    return known;
  }
  const listeners = new Set<Listener>();
  const logQuery = logger.logQuery.bind(logger);
  // Never taken off again: somebody may have wrapped the logger after us. Without listeners it only passes on.
  logger.logQuery = context => {
    if (listeners.size > 0) {
      const query = asRecorded(context);
      listeners.forEach(listener => listener(query));
    }
    logQuery(context);
  };
  listenersOf.set(logger, listeners);
  return listeners;
}

/** Must not throw: MikroORM would report the query itself as failed. */
function asRecorded(context: LogContext): RecordedQuery {
  return {
    sql: context.query ?? '',
    params: context.params ?? [],
    via: context.connection?.type === 'read' ? 'read' : 'write',
    name: context.connection?.name ?? '',
    took: context.took,
    failed: context.level === 'error',
  };
}
