import type { Cascade } from './tables.ts';

/** What the database's own catalog says, beyond what entities are mapped to. */
export interface DatabaseFacts {
  /** The same for all connections, processes and servers (primary and standbys) of one database, and for no other. */
  readonly database: string;
  /** Schemas that bare names are looked for in. */
  readonly searchPath: readonly string[];
  /** The isolation level of transactions that name none. */
  readonly isolation: string;
  /** By id of the table that is referred to (`schema.name`): foreign keys that change rows, whoever has made them. */
  readonly cascades: ReadonlyMap<string, readonly Cascade[]>;
  /** By id: tables of which a statement's text does not tell everything. */
  readonly unusual: ReadonlyMap<string, UnusualTable>;
}

/** A table with triggers, policies, or without the right to read it. */
export interface UnusualTable {
  /** Names of the triggers that somebody has made on it. */
  readonly triggers: readonly string[];
  /** One of them may change rows before they are written. */
  readonly changesRows: boolean;
  /** `returning` may be refused: by a policy, or for want of the right to read. */
  readonly refusesReturning: boolean;
}

/*
 * https://www.postgresql.org/docs/18/functions-info.html: the system identifier is made by initdb and kept by every
 * standby. https://www.postgresql.org/docs/18/catalog-pg-constraint.html, catalog-pg-trigger.html (tgtype: bit 0 for each
 * row, bit 1 before). Only what is out of the ordinary is listed.
 */
export const FACTS_SQL: string = `select
  (select system_identifier::text from pg_control_system()) as "system", ${rest()}`;

/** Where nobody may ask for the system identifier. */
export const FACTS_WITHOUT_SYSTEM_SQL: string = `select null::text as "system", ${rest()}`;

function rest(): string {
  return `current_database() as "database",
  array_to_json(current_schemas(false))::text as "schemas",
  current_setting('default_transaction_isolation') as "isolation",
  (select json_agg(json_build_array(rn.nspname, r.relname, tn.nspname, t.relname, f.confdeltype, f.confupdtype,
      (select json_agg(a.attname) from pg_attribute a where a.attrelid = f.confrelid and a.attnum = any (f.confkey))))::text
    from pg_constraint f join pg_class r on r.oid = f.confrelid join pg_namespace rn on rn.oid = r.relnamespace
    join pg_class t on t.oid = f.conrelid join pg_namespace tn on tn.oid = t.relnamespace
    where f.contype = 'f' and (f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd'))) as "cascades",
  (select json_agg(json_build_array(u.schema, u.name, u.triggers, u.before, u.refuses))::text from (
    select n.nspname as "schema", c.relname as "name", coalesce(g.names, '{}') as "triggers",
      coalesce(g.before, false) as "before",
      c.relrowsecurity or not has_table_privilege(c.oid, 'select') as "refuses"
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    left join lateral (select array_agg(tgname::text) as "names", bool_or(tgtype & 3 = 3) as "before" from pg_trigger
      where tgrelid = c.oid and not tgisinternal and tgenabled <> 'D' and tgname not like 'mikrokit%') g on true
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')) u
    where u.triggers <> '{}' or u.refuses) as "unusual"`;
}

/** @param address what stands for the server where it does not say who it is */
export function factsOf(row: Readonly<Record<string, unknown>>, address: string): DatabaseFacts {
  const cascades = new Map<string, Cascade[]>();
  for (const [schema, name, from, table, onDelete, onUpdate, columns] of parsed<
    [string, string, string, string, string, string, string[]]
  >(row['cascades'])) {
    const id = `${schema}.${name}`;
    const cascade = {
      table: `${from}.${table}`,
      onDelete: CHANGING.has(onDelete),
      onUpdateOf: CHANGING.has(onUpdate) ? columns : [],
    };
    cascades.set(id, [...(cascades.get(id) ?? []), cascade]);
  }
  return {
    database: `${text(row['system']) ?? address}/${text(row['database'])}`,
    searchPath: parsed<string>(row['schemas']),
    isolation: text(row['isolation']) ?? 'read committed',
    cascades,
    unusual: new Map(
      parsed<[string, string, string[], boolean, boolean]>(row['unusual']).map(
        ([schema, name, triggers, changesRows, refusesReturning]) => [
          `${schema}.${name}`,
          { triggers, changesRows, refusesReturning },
        ],
      ),
    ),
  };
}

/** confdeltype and confupdtype: cascade, set null, set default. */
const CHANGING: ReadonlySet<string> = new Set(['c', 'n', 'd']);

function parsed<T>(json: unknown): T[] {
  return (JSON.parse(text(json) ?? '[]') as T[] | null) ?? [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
