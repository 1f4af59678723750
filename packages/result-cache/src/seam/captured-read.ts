import type { Connection } from './connection.ts';

/** A statement that MikroORM has built and is about to send. */
export interface CapturedStatement {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** The session context of the transaction that MikroORM would send it in; `undefined` for none. */
  readonly session: unknown;
  /** Sends it, and lets the call that has built it go on. @param connection instead of the one it was for */
  proceed(connection: Connection | undefined): void;
}

/** How the call ended that was to send a statement. */
export type Capture<T> =
  /** It is about to send one, and waits to be told whether to; or it is left alone, and is collected with all it holds. */
  | { readonly statement: CapturedStatement; readonly result: Promise<T> }
  /** It has sent none, or not through us. */
  | { readonly result: Promise<T>; readonly statement?: undefined };

/** Stands in for the connection of one QueryBuilder, so that its statement is seen before it is sent. */
export function capturing(connection: Connection, seen: (statement: CapturedStatement) => void): Connection {
  /** In place of a transaction that is only begun if the statement is sent. */
  let wrapping: { options: object | undefined } | undefined;
  return {
    transactional<R>(run: (transaction: unknown) => Promise<R>, options?: object): Promise<R> {
      wrapping = { options };
      return run(undefined);
    },
    execute(sql, params, method, transaction, logging) {
      return new Promise((resolve, reject) => {
        seen({
          sql,
          params,
          session: (wrapping?.options as { sessionContext?: unknown } | undefined)?.sessionContext,
          proceed(other) {
            const target = other ?? connection;
            const sent =
              wrapping === undefined
                ? target.execute(sql, params, method, transaction, logging)
                : target.transactional(own => target.execute(sql, params, method, own, logging), wrapping.options);
            sent.then(resolve, reject);
          },
        });
      });
    },
    stream: (...args) => connection.stream(...args),
  };
}
