import type { SideConnection } from '../side-connection.ts';

/** What the server knows of a table. */
export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  /** As of the last ANALYZE or VACUUM; `undefined` before the first. */
  readonly rows: number | undefined;
  /** Of 8 kB. */
  readonly pages: number;
  /** A part of a partitioned table, or one itself. */
  readonly partition: boolean;
  /** Scans of it and its indexes, since the statistics began. */
  readonly reads: number;
  /** Rows written since then, beyond those that it has: filling it once is no burden. */
  readonly writes: number;
  readonly updates: number;
  /** Updates that left the indexes alone. */
  readonly hotUpdates: number;
}

/** A table as a plan names it. */
export interface TableName {
  /** `undefined`: the one that is visible by its name alone. */
  readonly schema: string | undefined;
  readonly name: string;
}

/** Finds facts of a table. */
export type FindTable = (table: TableName) => TableFacts | undefined;

const MOST_TABLES = 20;

/** Of at most 20 tables. @throws as the connection does */
export async function readTableFacts(
  connection: Pick<SideConnection, 'query'>,
  tables: readonly TableName[],
): Promise<FindTable> {
  const asked = tables.slice(0, MOST_TABLES);
  if (asked.length === 0) {
    return () => undefined;
  }
  const rows = await connection.query<Record<keyof TableFacts | 'asked', unknown>>(
    `select asked.place::int as asked, n.nspname::text as schema, c.relname::text as name,
        case when c.reltuples >= 0 then c.reltuples::float8 end as rows, c.relpages::float8 as pages,
        c.relispartition or c.relkind = 'p' as partition,
        (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::float8 as reads,
        (greatest(coalesce(s.n_tup_ins, 0) - greatest(c.reltuples, 0), 0)
          + coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0))::float8 as writes,
        coalesce(s.n_tup_upd, 0)::float8 as updates, coalesce(s.n_tup_hot_upd, 0)::float8 as "hotUpdates"
      from unnest($1::text[], $2::text[]) with ordinality as asked(schema, name, place)
      join pg_catalog.pg_class c on c.relname = asked.name
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join pg_catalog.pg_stat_user_tables s on s.relid = c.oid
      where case when asked.schema is null then pg_catalog.pg_table_is_visible(c.oid) else n.nspname = asked.schema end`,
    [asked.map(({ schema }) => schema ?? null), asked.map(({ name }) => name)],
  );
  const facts = rows.map(row => ({
    asked: asked[Number(row.asked) - 1],
    facts: {
      schema: String(row.schema),
      name: String(row.name),
      rows: row.rows === null ? undefined : Number(row.rows),
      pages: Number(row.pages),
      partition: row.partition === true || row.partition === 't',
      reads: Number(row.reads),
      writes: Number(row.writes),
      updates: Number(row.updates),
      hotUpdates: Number(row.hotUpdates),
    },
  }));
  return ({ schema, name }) =>
    facts.find(({ asked: table }) => table?.schema === schema && table?.name === name)?.facts;
}
