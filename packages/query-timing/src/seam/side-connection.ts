import type { OpenSideConnection } from '../side-connection.ts';

interface Client {
  connect(): Promise<unknown>;
  query(config: object): Promise<{ rows: object[] }>;
  end(): Promise<void>;
  ref(): void;
  unref(): void;
  on(event: 'error', listener: () => void): unknown;
  setTypeParser(oid: number, parse: (text: string) => string): unknown;
}

/** A pool of pg, as far as it tells how to connect. */
interface Pool {
  readonly Client: new (config: object) => Client;
  readonly options: { readonly password?: unknown; readonly ssl?: unknown };
}

/** A connection that is asked for longer is given up, in ms. */
const CONNECT = 2_000;
/** The longest that any question takes before it is given up here, whatever the server does, in ms. */
const ANSWER = 5_000;
/** The oid of `json`. */
const JSON_TYPE = 114;

/**
 * Connects beside the pools, with what the ORM's own pool connects with.
 *
 * Relies on `connection.getNativeClient()` being pg's pool, with its `Client` and `options`, and on the clients' `ref()` and
 * `unref()`.
 */
export function sideConnections(getPool: () => Promise<unknown>): OpenSideConnection {
  return async clientUrl => {
    const pool = (await getPool()) as Pool;
    const { password, ssl } = pool.options;
    const where = clientUrl === undefined ? { ...pool.options, password, ssl } : { connectionString: clientUrl };
    const client = new pool.Client({
      ...where,
      // The ORM's own parsers are not meant for catalogs, nor are its time limits for questions that have their own.
      types: undefined,
      statement_timeout: undefined,
      application_name: 'mikrokit query-timing',
      connectionTimeoutMillis: CONNECT,
      query_timeout: ANSWER,
    });
    // Its end shows with the next question; without a listener it would end the process.
    client.on('error', () => undefined);
    // A query identifier in a plan has more digits than a number.
    client.setTypeParser(JSON_TYPE, text => text);
    await client.connect();
    // While nothing is asked it keeps no process alive: a script may end with it open.
    client.unref();
    let asked = 0;
    return {
      async query(text, values, simple = false) {
        const config = simple ? { text } : { text, values: [...(values ?? [])], queryMode: 'extended' };
        if (asked++ === 0) {
          client.ref();
        }
        try {
          return (await client.query(config)).rows as never;
        } finally {
          if (--asked === 0) {
            client.unref();
          }
        }
      },
      end: () => client.end(),
    };
  };
}
