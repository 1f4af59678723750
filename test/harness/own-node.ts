import type { QueryResultRow } from 'pg';
import { HarnessError } from './errors.ts';
import type { PgNode } from './pg-node.ts';
import { queryOnce } from './pg-query.ts';

/** A server of one's own, named by DATABASE_URL or REPLICA_URLS: used, never started, stopped or signalled. */
export class OwnNode implements PgNode {
  readonly name: string;
  readonly pid = undefined;
  readonly dataDirectory = undefined;
  readonly #url: URL;

  constructor(name: string, url: string, variable: string) {
    this.name = name;
    this.#url = parse(url, variable);
  }

  get port(): number {
    return Number(this.#url.port || 5432);
  }

  url(database?: string): string {
    const url = new URL(this.#url);
    if (database !== undefined) {
      url.pathname = `/${encodeURIComponent(database)}`;
    }
    return url.href;
  }

  query<Row extends QueryResultRow>(sql: string, params?: readonly unknown[], database?: string): Promise<Row[]> {
    return queryOnce<Row>(this.url(database), sql, params);
  }

  start(): Promise<void> {
    return this.#refuse('start()');
  }

  stop(): Promise<void> {
    return this.#refuse('stop()');
  }

  signal(signal: NodeJS.Signals): Promise<void> {
    return this.#refuse(`signal('${signal}')`);
  }

  #refuse(call: string): Promise<never> {
    return Promise.reject(
      new HarnessError(
        `${call} expects a server that the harness has started, but ${this.name} is one of your own (DATABASE_URL, REPLICA_URLS). ` +
          'Ask for the embedded one with startCluster({ embedded: true }).',
      ),
    );
  }
}

function parse(url: string, variable: string): URL {
  if (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)) {
    return new URL(url);
  }
  throw new HarnessError(
    `${variable} has to be a connection string such as postgresql://user:password@host:5432/postgres, but it is "${url}".`,
  );
}
