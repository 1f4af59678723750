import type { SideConnection } from '../side-connection.ts';
import type { ServerStatistics } from '../timing-report.ts';

const MOST_SHAPES = 1_000;

/**
 * What `pg_stat_statements` counted, by shape: joined by the query identifier that EXPLAIN (VERBOSE) tells. Of this database
 * and every role that the view shows; nothing where the extension is not created or may not be read.
 */
export class ServerCounts {
  readonly #ids: Map<string, string> = new Map();
  readonly #counts: Map<string, ServerStatistics> = new Map();

  /** @param queryId as text: it has more digits than a number */
  know(shapeId: string, queryId: string): void {
    if (this.#ids.size < MOST_SHAPES || this.#ids.has(shapeId)) {
      this.#ids.set(shapeId, queryId);
    }
  }

  get(shapeId: string): ServerStatistics | undefined {
    return this.#counts.get(shapeId);
  }

  /** Asks for all that are known. @throws as the connection does */
  async refresh(connection: Pick<SideConnection, 'query'>): Promise<void> {
    if (this.#ids.size === 0) {
      return;
    }
    const [extension] = await connection.query<{ schema: string }>(
      `select pg_catalog.quote_ident(n.nspname) as schema from pg_catalog.pg_extension e
        join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_stat_statements'`,
    );
    if (!extension) {
      return;
    }
    const rows = await connection.query<Record<keyof ServerStatistics, unknown>>(
      `select queryid::text as "queryId", sum(calls)::float8 as calls,
          (sum(total_exec_time) / nullif(sum(calls), 0))::float8 as "meanTime", max(max_exec_time)::float8 as "maxTime",
          sum(rows)::float8 as rows, sum(shared_blks_hit)::float8 as "sharedHit",
          sum(shared_blks_read)::float8 as "sharedRead", sum(temp_blks_written)::float8 as "tempWritten",
          sum(wal_bytes)::float8 as wal
        from ${extension.schema}.pg_stat_statements(false)
        where queryid::text = any($1::text[])
          and dbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
        group by queryid`,
      [[...this.#ids.values()]],
    );
    const found = new Map(rows.map(row => [String(row.queryId), numbers(row)]));
    for (const [shape, queryId] of this.#ids) {
      const counts = found.get(queryId);
      if (counts) {
        this.#counts.set(shape, counts);
      }
    }
  }

  clear(): void {
    this.#ids.clear();
    this.#counts.clear();
  }
}

function numbers(row: Record<keyof ServerStatistics, unknown>): ServerStatistics {
  return {
    queryId: String(row.queryId),
    calls: Number(row.calls),
    meanTime: Number(row.meanTime ?? 0),
    maxTime: Number(row.maxTime),
    rows: Number(row.rows),
    sharedHit: Number(row.sharedHit),
    sharedRead: Number(row.sharedRead),
    tempWritten: Number(row.tempWritten),
    wal: Number(row.wal),
  };
}
