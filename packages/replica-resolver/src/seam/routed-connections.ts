import type { Consistency } from '../consistency.ts';

/** Set in the context of a statement that is to be routed: it is not part of a transaction. */
const ROUTED: unique symbol = Symbol('routed');

interface LoggerContext {
  consistency?: Consistency;
  [ROUTED]?: true;
}

interface QueryContext extends LoggerContext {
  formatted?: string;
  connection?: { readonly type: string; readonly name: string };
}

interface BeginOptions {
  readonly ctx?: unknown;
  readonly readOnly?: boolean;
  readonly sessionContext?: unknown;
  readonly loggerContext?: LoggerContext;
}

/** A connection of MikroORM, as far as it is overridden here. */
export interface SqlConnection {
  execute(query: unknown, params?: unknown, method?: string, ctx?: unknown, context?: LoggerContext): Promise<never>;
  readonly options: { name?: string | undefined };
  logQuery(query: string, context?: QueryContext): void;
  executeQuery(query: string, send: () => Promise<unknown>, context?: QueryContext): Promise<unknown>;
  stream(
    query: unknown,
    params?: unknown,
    ctx?: unknown,
    context?: LoggerContext,
    chunkSize?: number,
  ): AsyncIterableIterator<unknown>;
  begin(options?: BeginOptions): Promise<never>;
  transactional(work: unknown, options?: BeginOptions): Promise<never>;
}

/** How a connection's statements find their node. */
export interface ReadTraffic {
  read<T>(
    read: { consistency: Consistency | undefined; text: string | undefined; ensure: boolean },
    routed: (node: string) => void,
    send: () => Promise<T>,
  ): Promise<T>;
  /** Whether what is running has its node already. */
  readonly routed: boolean;
  open<T>(consistency: Consistency | undefined, begin: () => Promise<T>): Promise<T>;
}

/**
 * Makes a connection of MikroORM's the one that reads: each statement, stream and transaction finds its own node.
 *
 * Relies on `execute()` handing its logger context on to `executeQuery(sql, send, context)`, where `send` may be called
 * again, and on what is set there being what the logger is told.
 */
export function routeReads(connection: SqlConnection, traffic: ReadTraffic): void {
  const { execute, executeQuery, stream, begin, transactional, logQuery, options } = connection;

  connection.execute = (query, params, method, ctx, context, ...rest: []) =>
    execute.call(connection, query, params, method, ctx, ctx ? context : { ...context, [ROUTED]: true }, ...rest);

  connection.executeQuery = (query, send, context) => {
    if (context?.[ROUTED] === undefined) {
      return executeQuery.call(connection, query, send, context);
    }
    const read = { consistency: context.consistency, text: context.formatted ?? query, ensure: false };
    const routed = (node: string): void => void (context.connection = { type: 'read', name: node });
    return executeQuery.call(connection, query, () => traffic.read(read, routed, send), context);
  };

  // The log of slow queries is told of the connection's own name, whatever its context says.
  connection.logQuery = (query, context) => {
    const { name } = options;
    options.name = context?.connection?.name ?? name;
    try {
      logQuery.call(connection, query, context);
    } finally {
      options.name = name;
    }
  };

  connection.stream = async function* (query, params, ctx, context, ...rest) {
    const open = (): AsyncIterableIterator<unknown> => stream.call(connection, query, params, ctx, context, ...rest);
    if (ctx) {
      yield* open();
      return;
    }
    // Until there is a row, it may begin again elsewhere.
    const { rows, first } = await traffic.open(context?.consistency, async () => {
      const begun = open();
      return { rows: begun, first: await begun.next() };
    });
    try {
      for (let next = first; next.done !== true; next = await rows.next()) {
        yield next.value;
      }
    } finally {
      await rows.return?.();
    }
  };

  connection.begin = options =>
    options?.ctx || traffic.routed
      ? begin.call(connection, options)
      : traffic.open(options?.loggerContext?.consistency, () => begin.call(connection, options));

  // MikroORM wraps a read in a transaction where it has to set a session context first: one read, which may be made again.
  connection.transactional = (work, options) =>
    options?.sessionContext !== undefined && options.readOnly !== true && !options.ctx
      ? traffic.read(
          { consistency: options.loggerContext?.consistency, text: undefined, ensure: true },
          () => undefined,
          () => transactional.call(connection, work, options),
        )
      : transactional.call(connection, work, options);
}

/** Makes a connection of MikroORM's one whose statements are sent again when nothing of them was sent. */
export function routeWrites(connection: SqlConnection, write: <T>(send: () => Promise<T>) => Promise<T>): void {
  const { execute, executeQuery } = connection;

  connection.execute = (query, params, method, ctx, context, ...rest: []) =>
    execute.call(connection, query, params, method, ctx, ctx ? context : { ...context, [ROUTED]: true }, ...rest);

  connection.executeQuery = (query, send, context) =>
    executeQuery.call(connection, query, context?.[ROUTED] === undefined ? send : () => write(send), context);
}
