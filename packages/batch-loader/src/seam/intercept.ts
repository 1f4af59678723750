import { AsyncLocalStorage } from 'node:async_hooks';
import type { MikroORM } from '@mikro-orm/core';

/** Rows as the database gives them. */
export type Row = Record<string, unknown>;

/** A statement that MikroORM is about to send. */
export interface Query {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** Where MikroORM was about to send it. */
export interface QueryTarget {
  /** Whether it is an open transaction. */
  readonly isTransaction: boolean;
  /** Sends another statement in its place: same connection, transaction, session context and log label. */
  send(query: Query): Promise<Row[]>;
  /** Runs statements on one connection: in the open transaction, or in one of their own. */
  pinned<T>(run: (send: (sql: string, params: readonly unknown[]) => Promise<Row[]>) => Promise<T>): Promise<T>;
}

/** Answers a call's statement in the database's place. */
export type Answer = (query: Query, target: QueryTarget) => Promise<Row[]>;

interface Frame {
  answer: Answer | undefined;
  /** The statement is only looked at: no transaction is begun for it. */
  readonly dry: boolean;
}

interface Connection {
  execute(
    sql: string,
    params: readonly unknown[],
    method: string,
    transaction: unknown,
    logging: unknown,
  ): Promise<unknown>;
  transactional<T>(run: (transaction: unknown) => Promise<T>, options?: object): Promise<T>;
}

interface InterceptedBuilder {
  getConnection(): Connection;
}

/**
 * Takes the statement of a call out of MikroORM's hands, after MikroORM has built it and before it is sent, and gives
 * back rows as if they were its own. Only the first statement of the call: what it populates afterwards is sent as usual.
 *
 * Relies on `qb.execute()` asking `qb.getConnection()` for `execute(sql, params, method, transaction, logging)`.
 */
export class Interceptor {
  readonly #frames = new AsyncLocalStorage<Frame | undefined>();
  readonly #rewriters = new AsyncLocalStorage<Answer>();

  /** To be called once, from `register(orm)`. */
  install(orm: MikroORM): void {
    const driver = orm.driver as unknown as { createQueryBuilder(...args: unknown[]): InterceptedBuilder };
    const createQueryBuilder = driver.createQueryBuilder.bind(driver);
    driver.createQueryBuilder = (...args) => {
      const qb = createQueryBuilder(...args);
      const frame = this.#frames.getStore();
      if (frame?.answer) {
        const getConnection = qb.getConnection.bind(qb);
        qb.getConnection = () => {
          const { answer } = frame;
          frame.answer = undefined;
          return answer ? intercepted(getConnection(), answer, frame.dry) : getConnection();
        };
      }
      const rewrite = this.#rewriters.getStore();
      if (rewrite && !frame?.answer) {
        const getConnection = qb.getConnection.bind(qb);
        qb.getConnection = () => intercepted(getConnection(), rewrite, false);
      }
      return qb;
    };
  }

  /** Runs a call with each of its statements, and of those it populates, answered by `answer`. */
  rewriting<T>(answer: Answer, call: () => Promise<T>): Promise<T> {
    return this.#rewriters.run(answer, call);
  }

  /** Whether the running code belongs to a call whose statement is only looked at. */
  get dry(): boolean {
    const frame = this.#frames.getStore();
    return frame?.answer !== undefined && frame.dry;
  }

  /** Runs what a call does besides its own statement: filters, a flush before it. */
  outside<T>(run: () => T): T {
    return this.#frames.getStore() === undefined ? run() : this.#frames.run(undefined, run);
  }

  /** Runs a call of MikroORM with its statement answered by `answer`. */
  answered<T>(answer: Answer, call: () => Promise<T>): Promise<T> {
    return this.#frames.run({ answer, dry: false }, call);
  }

  /** The statement that a call would send, which is then given up; or its result, if it sends none. */
  look<T>(call: () => Promise<T>): Promise<{ query: Query; target: QueryTarget } | { result: T }> {
    return new Promise((resolve, reject) => {
      const answer: Answer = (query, target) => {
        resolve({ query, target });
        // The call never goes on, and is collected with everything it holds.
        return new Promise(() => undefined);
      };
      this.#frames.run({ answer, dry: true }, call).then(result => resolve({ result }), reject);
    });
  }
}

function intercepted(connection: Connection, answer: Answer, dry: boolean): Connection {
  return {
    transactional: (run, options) => (dry ? run(undefined) : connection.transactional(run, options)),
    async execute(sql, params, method, transaction, logging) {
      const sendOn =
        (own: unknown) =>
        (text: string, values: readonly unknown[]): Promise<Row[]> =>
          connection.execute(text, values, 'all', own, logging) as Promise<Row[]>;
      const rows = await answer(
        { sql, params },
        {
          isTransaction: transaction !== undefined && transaction !== null,
          send: query => sendOn(transaction)(query.sql, query.params),
          pinned: run =>
            transaction === undefined || transaction === null
              ? connection.transactional(own => run(sendOn(own)))
              : run(sendOn(transaction)),
        },
      );
      return method === 'get' ? rows[0] : rows;
    },
  };
}
