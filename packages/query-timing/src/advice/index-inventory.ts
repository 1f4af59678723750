import type { SideConnection } from '../side-connection.ts';

/** An index, and how it has been used since the statistics began. */
export interface InventoryIndex {
  readonly schema: string;
  readonly table: string;
  /** Of the table, as of its last ANALYZE. */
  readonly rows: number;
  readonly name: string;
  /** `undefined` in the place of an expression. */
  readonly columns: readonly (string | undefined)[];
  /** Column or expression with operator class, collation and order: equal texts sort equally. */
  readonly keys: readonly string[];
  /** Columns that are only carried along. */
  readonly included: readonly string[];
  readonly method: string;
  readonly predicate: string | undefined;
  /** Something relies on it: it is unique, or of a constraint, or a replica identity. */
  readonly needed: boolean;
  readonly scans: number;
  /** Bytes. */
  readonly size: number;
}

/** A foreign key. */
export interface ForeignKey {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  readonly columns: readonly string[];
  readonly referenced: string;
}

/** What the server has for some tables. */
export interface Inventory {
  readonly indexes: readonly InventoryIndex[];
  readonly foreignKeys: readonly ForeignKey[];
  /** How long at least the statistics have been counting, in s. */
  readonly counting: number;
}

/** Of each list. */
const MOST = 5_000;

/**
 * @param tables by name; of every schema but the system's
 * @param minRows tables with fewer rows are passed over
 * @throws as the connection does
 */
export async function readInventory(
  connection: Pick<SideConnection, 'query'>,
  tables: readonly string[],
  minRows: number,
): Promise<Inventory> {
  const values = [tables, minRows];
  const indexes = await connection.query<Record<string, unknown>>(
    `select n.nspname::text as schema, c.relname::text as table, c.reltuples::float8 as rows, i.relname::text as name,
        am.amname::text as method, pg_catalog.pg_get_expr(x.indpred, x.indrelid) as predicate,
        (x.indisunique or x.indisreplident or exists (
          select from pg_catalog.pg_constraint k where k.conindid = x.indexrelid))::int as needed,
        coalesce(s.idx_scan, 0)::float8 as scans, pg_catalog.pg_relation_size(x.indexrelid)::float8 as size,
        (select pg_catalog.json_agg(
            case when k.place <= x.indnkeyatts then pg_catalog.concat_ws(' ',
              pg_catalog.pg_get_indexdef(x.indexrelid, k.place::int, false),
              x.indclass[k.place - 1], x.indcollation[k.place - 1], x.indoption[k.place - 1]) end order by k.place)
          from pg_catalog.unnest(x.indkey::int2[]) with ordinality as k(attnum, place))::text as keys,
        (select pg_catalog.json_agg(a.attname order by k.place)
          from pg_catalog.unnest(x.indkey::int2[]) with ordinality as k(attnum, place)
          left join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum and k.attnum <> 0)::text
          as columns
      from pg_catalog.pg_index x
      join pg_catalog.pg_class i on i.oid = x.indexrelid
      join pg_catalog.pg_am am on am.oid = i.relam
      join pg_catalog.pg_class c on c.oid = x.indrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join pg_catalog.pg_stat_user_indexes s on s.indexrelid = x.indexrelid
      where ${ASKED} and x.indisvalid and not i.relispartition order by 1, 2, 4 limit ${MOST}`,
    values,
  );
  const foreignKeys = await connection.query<Record<string, unknown>>(
    `select n.nspname::text as schema, c.relname::text as table, c.reltuples::float8 as rows,
        other.relname::text as referenced,
        (select pg_catalog.json_agg(a.attname order by u.place)
          from pg_catalog.unnest(k.conkey) with ordinality as u(attnum, place)
          join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum)::text as columns
      from pg_catalog.pg_constraint k
      join pg_catalog.pg_class c on c.oid = k.conrelid
      join pg_catalog.pg_class other on other.oid = k.confrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where ${ASKED} and k.contype = 'f' and k.conparentid = 0 order by 1, 2, k.conname limit ${MOST}`,
    values,
  );
  const [age] = await connection.query<{ counting: unknown }>(
    `select pg_catalog.date_part('epoch', pg_catalog.now() - coalesce(stats_reset, pg_catalog.pg_postmaster_start_time()))
        as counting
      from pg_catalog.pg_stat_database where datname = pg_catalog.current_database()`,
  );
  return {
    indexes: indexes.map(inventoryIndex),
    foreignKeys: foreignKeys.map(row => ({
      ...place(row),
      referenced: String(row['referenced']),
      columns: list(row['columns']),
    })),
    counting: Number(age?.counting ?? 0),
  };
}

const ASKED = `n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_' and c.relname = any($1::text[])
        and c.reltuples >= $2 and not c.relispartition`;

function inventoryIndex(row: Record<string, unknown>): InventoryIndex {
  const keys = list<string | null>(row['keys']).filter(key => key !== null);
  const columns = list<string | null>(row['columns']).map(column => column ?? undefined);
  return {
    ...place(row),
    name: String(row['name']),
    columns: columns.slice(0, keys.length),
    keys,
    included: columns.slice(keys.length).filter(column => column !== undefined),
    method: String(row['method']),
    predicate: typeof row['predicate'] === 'string' ? row['predicate'] : undefined,
    needed: Number(row['needed']) === 1,
    scans: Number(row['scans']),
    size: Number(row['size']),
  };
}

function place(row: Record<string, unknown>): Pick<InventoryIndex, 'schema' | 'table' | 'rows'> {
  return { schema: String(row['schema']), table: String(row['table']), rows: Number(row['rows']) };
}

function list<T = string>(json: unknown): T[] {
  return JSON.parse(String(json)) as T[];
}
