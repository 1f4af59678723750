import type { EntityMetadata } from '@mikro-orm/core';
import type { CacheSetting } from '../policy.ts';
import type { Connection } from './connection.ts';

/** A QueryBuilder that a user has made. */
export interface UserBuilder {
  readonly type: string;
  readonly state: { readonly cache?: CacheSetting };
  readonly mainAlias: { readonly meta?: EntityMetadata | undefined };
  getConnection(): Connection;
  clone(...args: unknown[]): UserBuilder;
}

/** A statement of a QueryBuilder that is about to be sent. */
export interface BuilderRead {
  readonly meta: EntityMetadata | undefined;
  readonly setting: CacheSetting;
  readonly em: object;
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly method: string;
  readonly transaction: object | undefined;
  /** The session context of the transaction that MikroORM would send it in; `undefined` for none. */
  readonly session: unknown;
  /** Sends it. @param connection instead of its own */
  send(connection: Connection | undefined): Promise<unknown>;
}

const READS: ReadonlySet<string> = new Set(['SELECT', 'COUNT']);

/**
 * Hands the statements of a QueryBuilder, and of its clones (`getCount()` makes one), to `answer`, before they are sent.
 * Rows are as the database gives them; the builder maps them afterwards.
 */
export function takeBuilderReads<B extends UserBuilder>(
  builder: B,
  em: object,
  answer: (read: BuilderRead) => Promise<unknown>,
): B {
  const getConnection = builder.getConnection.bind(builder);
  const clone = builder.clone.bind(builder);
  const own = (): Connection => {
    const connection = getConnection();
    if (!READS.has(builder.type) || builder.getConnection !== own || !('getClient' in connection)) {
      return connection;
    }
    let wrapping: { options: object | undefined } | undefined;
    return {
      transactional(run, options) {
        wrapping = { options };
        return run(undefined);
      },
      execute: (sql, params, method, transaction, logging) =>
        answer({
          meta: builder.mainAlias.meta,
          setting: builder.state.cache,
          em,
          sql,
          params,
          method,
          transaction: transaction as object | undefined,
          session: (wrapping?.options as { sessionContext?: unknown } | undefined)?.sessionContext,
          send(other) {
            const target = other ?? connection;
            return wrapping === undefined
              ? target.execute(sql, params, method, transaction, logging)
              : target.transactional(inner => target.execute(sql, params, method, inner, logging), wrapping.options);
          },
        }),
      stream: (...args) => connection.stream(...args),
    };
  };
  builder.getConnection = own;
  builder.clone = (...args) => takeBuilderReads(clone(...args), em, answer);
  return builder;
}
