import type { Meter, Tracer } from '@opentelemetry/api';

/** Where a server is. */
export interface ServerAddress {
  /** Host name, IP address, or the path of a socket. */
  readonly address: string;
  /** @default 5432 */
  readonly port?: number | undefined;
}

/** Options of `openTelemetry()`; every one may be left out. */
export interface OpenTelemetryOptions {
  /** @default that of the registered SDK, which may be registered later */
  readonly tracer?: Tracer | undefined;
  /** @default that of the registered SDK, which must be registered before */
  readonly meter?: Meter | undefined;
  /**
   * What spans are: `'client'`, calls of the database; `'internal'`, work of this process; `'auto'`, internal as long as
   * another instrumentation has wrapped pg and makes client spans of the same queries; `'off'`, there are none.
   * @default 'auto'
   */
  readonly spans?: 'auto' | 'client' | 'internal' | 'off' | undefined;
  /** Trap: `@opentelemetry/instrumentation-pg` has a metric of the same name. Whoever sums both counts twice. @default true */
  readonly metrics?: boolean | undefined;
  /** Spans have `db.query.text`, in which there are no values. @default true */
  readonly queryText?: boolean | undefined;
  /** Spans have `db.response.returned_rows`, and there is a metric of it. @default true */
  readonly rows?: boolean | undefined;
  /** `db.namespace`: `database` or `database|schema`, as they are when connecting. @default the database */
  readonly namespace?: string | undefined;
  /**
   * The server, for all queries or by the name of their node. For a connection through a proxy, or nodes with names of their
   * own. @default that in the name of the node, `host:port`
   */
  readonly server?: ServerAddress | ((node: string | undefined) => ServerAddress | undefined) | undefined;
}
