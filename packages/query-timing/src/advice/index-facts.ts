import type { TableName } from '../plans/table-facts.ts';
import type { SideConnection } from '../side-connection.ts';

/** An index as the server has it. */
export interface IndexFacts {
  readonly name: string;
  /** `undefined` in the place of an expression. Without columns that are only included. */
  readonly columns: readonly (string | undefined)[];
  readonly unique: boolean;
  /** Can be used: valid, and a btree. */
  readonly usable: boolean;
  /** Of a partial index. */
  readonly predicate: string | undefined;
}

/** What is known of a column's values. */
export interface ColumnFacts {
  /** How many different ones. */
  readonly distinct: number;
  /** The part that is null, 0 to 1. */
  readonly nulls: number;
}

interface IndexRow {
  readonly name: string;
  /** JSON. */
  readonly columns: string;
  readonly unique: unknown;
  readonly usable: unknown;
  readonly predicate: string | null;
}

/** @throws as the connection does */
export async function readIndexes(
  connection: Pick<SideConnection, 'query'>,
  { schema, name }: Required<TableName>,
): Promise<readonly IndexFacts[]> {
  const rows = await connection.query<IndexRow>(
    `select i.relname::text as name, x.indisunique::int as unique, (x.indisvalid and am.amname = 'btree')::int as usable,
        pg_catalog.pg_get_expr(x.indpred, x.indrelid) as predicate,
        (select pg_catalog.json_agg(a.attname order by k.place)::text
          from pg_catalog.unnest(x.indkey::int2[]) with ordinality as k(attnum, place)
          left join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum and k.attnum <> 0
          where k.place <= x.indnkeyatts) as columns
      from pg_catalog.pg_index x
      join pg_catalog.pg_class i on i.oid = x.indexrelid
      join pg_catalog.pg_am am on am.oid = i.relam
      join pg_catalog.pg_class c on c.oid = x.indrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  return rows.map(row => ({
    name: row.name,
    columns: (JSON.parse(row.columns) as (string | null)[]).map(column => column ?? undefined),
    unique: Number(row.unique) === 1,
    usable: Number(row.usable) === 1,
    predicate: row.predicate ?? undefined,
  }));
}

/**
 * As of the last ANALYZE, of the columns that the role may read.
 * @param rows of the table
 * @throws as the connection does
 */
export async function readColumns(
  connection: Pick<SideConnection, 'query'>,
  { schema, name }: Required<TableName>,
  rows: number,
): Promise<ReadonlyMap<string, ColumnFacts>> {
  const found = await connection.query<Record<string, unknown>>(
    `select attname::text as name, max(n_distinct)::float8 as distinct, max(null_frac)::float8 as nulls
      from pg_catalog.pg_stats where schemaname = $1 and tablename = $2 group by attname`,
    [schema, name],
  );
  return new Map(
    found.map(each => {
      const distinct = Number(each['distinct']);
      // Below 0 it is a part of the rows.
      return [
        String(each['name']),
        { distinct: Math.max(1, distinct < 0 ? -distinct * rows : distinct), nulls: Number(each['nulls']) },
      ];
    }),
  );
}
