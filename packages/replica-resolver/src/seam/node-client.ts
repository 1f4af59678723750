import type { JoinedResult, Lease, LeasedClient, Statement, StatementResult } from '../lease.ts';
import type { Replayed } from '../replayed.ts';
import type { ParameterStatus, PgClient, PgClientClass, PgQuery } from './pg.ts';

/** A connection that a lease looks after. */
export interface NodeClient extends PgClient, LeasedClient {
  lease: Lease | undefined;
  /** pg's own `release()` while it is in use, and the one that may be called more than once. */
  toPool: ((error?: unknown) => void) | undefined;
  /** It is in use. */
  out: boolean;
  giveBack: ((error?: unknown) => void) | undefined;
  /** A plain client to the same server, not connected yet. */
  another(): PgClient;
}

/** pg's error when its own `query_timeout` is over: the server is still at it, and the next statement would wait behind it. */
const CLIENT_TIMEOUT = 'Query read timeout';
/** Between texts, of which the one before may end with a comment. */
const SEPARATOR = '\n;\n';

/**
 * pg's client, whose statements pass its lease. It relies on `client.query(text, values)` being how Kysely sends, on
 * `submit()` of what is given to `query()` being called when its turn comes, and on answers coming in the order of the queue.
 *
 * @param roleChanged called when the server says that it has begun or ended to be a standby (PostgreSQL 14 and newer)
 */
export function nodeClientClass(
  Base: PgClientClass,
  options: { connectTimeout: number; replayed: Replayed; roleChanged: (standby: boolean) => void },
): PgClientClass {
  const Query = Base.Query;

  class Client extends Base implements NodeClient {
    lease: Lease | undefined;
    toPool: ((error?: unknown) => void) | undefined;
    out = false;
    giveBack: ((error?: unknown) => void) | undefined;
    readonly replayed: Replayed = options.replayed;
    server: string | undefined;
    connectedAt: number = Number.POSITIVE_INFINITY;
    readonly #config: object;
    /** pg's `query_timeout`, in ms; 0: none. */
    readonly #timeout: number;
    /** Cursors that are being closed. */
    readonly #closing = new Set<() => void>();
    #connected = false;

    constructor(config: object) {
      const own = { keepAlive: true, ...config, ...hidden(config), connectionTimeoutMillis: options.connectTimeout };
      super(own);
      this.#config = own;
      this.on('connect', () => void (this.connectedAt = performance.now()));
      this.on('end', () => this.#closing.forEach(lost => lost()));
      this.#timeout = Number((own as { query_timeout?: unknown }).query_timeout) || 0;
      this.connection.on('parameterStatus', ({ parameterName, parameterValue }: ParameterStatus) => {
        if (parameterName === 'in_hot_standby') {
          // What it says while connecting is no change.
          if (this.#connected) {
            options.roleChanged(parameterValue === 'on');
          }
          this.#connected = true;
        }
      });
    }

    get transactionStatus(): 'I' | 'T' | 'E' | null {
      return this.getTransactionStatus();
    }

    get usable(): boolean {
      return this._queryable && !this._ending;
    }

    override query(config: unknown, values?: unknown, callback?: unknown): unknown {
      const { lease } = this;
      if (lease === undefined || callback !== undefined || typeof config !== 'string' || typeof values === 'function') {
        if (lease !== undefined) {
          lease.sent = true;
          lease.passed?.(this, textOf(config));
        }
        if (isCursor(config)) {
          this.#closeWhenLost(config);
        }
        return super.query(config, values, callback);
      }
      return lease.query(this, { text: config, values: values as readonly unknown[] | undefined });
    }

    send({ text, values }: Statement): Promise<StatementResult> {
      const answer = super.query(text, values) as Promise<StatementResult>;
      return this.#timeout > 0 ? this.#orDestroy(answer) : answer;
    }

    sendJoined(texts: readonly string[]): Promise<JoinedResult> {
      const query = new Query({ text: texts.join(SEPARATOR) });
      return new Promise(resolve => {
        query.callback = error => {
          this.#destroyAfterTimeout(error);
          const results = [query._results].flat().filter(result => Boolean(result.command));
          resolve({ results, error: error ?? undefined });
        };
        super.query(query);
      });
    }

    sendTogether(statements: readonly Statement[]): Promise<StatementResult>[] {
      const queries = statements.map(statement => new Query(statement));
      const answers = queries.map(
        query =>
          new Promise<StatementResult>((resolve, reject) => {
            query.callback = (error, result) => {
              this.#destroyAfterTimeout(error);
              return error ? reject(error) : resolve(result!);
            };
          }),
      );
      // The first that fails is what the caller hears of; the others fail with it, and unheard.
      answers.forEach(answer => void answer.catch(() => undefined));
      if (!this.usable) {
        super.query(queries[0]);
        const error = new Error('Client has encountered a connection error and is not queryable');
        queries.slice(1).forEach(query => query.callback?.(error));
        return answers;
      }
      const [first, ...others] = queries as [PgQuery, ...PgQuery[]];
      const submits = others.map(query => query.submit.bind(query));
      const submitFirst = first.submit.bind(first);
      let failed: Error | null = null;
      first.submit = connection => {
        failed = submitFirst(connection);
        submits.forEach(submit => (failed ??= submit(connection)));
        return failed;
      };
      // What was sent with the first is only waited for.
      others.forEach(query => (query.submit = () => failed));
      super.query(first);
      for (const query of others) {
        query._result._types = this._types;
        this.#endInTime(query);
        this._queryQueue.push(query);
      }
      return answers;
    }

    /** As pg does with what is given to `query()`. */
    #endInTime(query: PgQuery): void {
      const { callback } = query;
      if (this.#timeout === 0 || callback === undefined) {
        return;
      }
      const timer = setTimeout(() => {
        query.callback = () => undefined;
        callback(new Error(CLIENT_TIMEOUT));
      }, this.#timeout);
      query.callback = (error, result) => {
        clearTimeout(timer);
        callback(error, result);
      };
    }

    another(): PgClient {
      const client = new Base(this.#config);
      client.on('error', () => undefined);
      return client;
    }

    /** pg-cursor waits for the server to confirm that it is closed, for ever if there is none any more. */
    #closeWhenLost(cursor: Cursor): void {
      const close = cursor.close.bind(cursor);
      cursor.close = async () => {
        if (!this.usable) {
          return;
        }
        const { promise, resolve: lost } = Promise.withResolvers<void>();
        this.#closing.add(lost);
        try {
          await Promise.race([close(), promise]);
        } finally {
          this.#closing.delete(lost);
        }
      };
    }

    async #orDestroy(answer: Promise<StatementResult>): Promise<StatementResult> {
      try {
        return await answer;
      } catch (error) {
        this.#destroyAfterTimeout(error as Error);
        throw error;
      }
    }

    #destroyAfterTimeout(error: Error | null | undefined): void {
      if (error?.message === CLIENT_TIMEOUT) {
        this.destroy();
      }
    }

    destroy(): void {
      // Marks it at once, so that no pool takes it back, and ends the socket when a statement is under way.
      void this.end().catch(() => undefined);
      this.connection.stream.destroy();
    }
  }
  return Client as unknown as PgClientClass;
}

interface Cursor {
  close(): Promise<void>;
}

function isCursor(config: unknown): config is Cursor {
  return typeof config === 'object' && config !== null && 'close' in config && typeof config.close === 'function';
}

function textOf(config: unknown): string | undefined {
  const text = typeof config === 'object' && config !== null && 'text' in config ? config.text : config;
  return typeof text === 'string' ? text : undefined;
}

/** pg-pool keeps the password where a spread does not find it. */
function hidden(config: object): object {
  return 'password' in config ? { password: config.password } : {};
}
