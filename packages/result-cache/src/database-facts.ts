import type { Cascade } from './tables.ts';

/** What the database's own catalog says, beyond what entities are mapped to. */
export interface DatabaseFacts {
  /** The same for all connections, processes and servers (primary and standbys) of one database, and for no other. */
  readonly database: string;
  /** Schemas that bare names are looked for in. */
  readonly searchPath: readonly string[];
  /** The isolation level of transactions that name none. */
  readonly isolation: string;
  /** By id of the table that is referred to (`schema.name`): all foreign keys, whoever has made them. */
  readonly cascades: ReadonlyMap<string, readonly Cascade[]>;
  /** By id: tables of which a statement's text does not tell everything. */
  readonly unusual: ReadonlyMap<string, UnusualTable>;
  /** By id: columns that the database computes from others. */
  readonly generated: ReadonlyMap<string, readonly string[]>;
  /** By id: tables that it inherits from or is a partition of, and those that inherit from it, at any distance. */
  readonly related: ReadonlyMap<string, readonly string[]>;
}

/** A table with triggers, rules, policies, or without the right to read it. */
export interface UnusualTable {
  /** Names of the triggers that somebody has made on it, and of the rules (`rule …`). */
  readonly triggers: readonly string[];
  /** One of them may change rows before they are written. */
  readonly changesRows: boolean;
  /** A rule may do something else than a statement says, with other rows. */
  readonly rewritten: boolean;
  /** `returning` may be refused: by a policy or a rule, or for want of the right to read. */
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
    where f.contype = 'f') as "cascades",
  (select json_agg(json_build_array(u.schema, u.name, u.triggers, u.before, u.rewritten, u.refuses))::text from (
    select n.nspname as "schema", c.relname as "name", coalesce(g.names, '{}') || coalesce(r.names, '{}') as "triggers",
      coalesce(g.before, false) as "before", r.names is not null as "rewritten",
      c.relrowsecurity or r.names is not null or not has_table_privilege(c.oid, 'select') as "refuses"
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    left join lateral (select array_agg(tgname::text) as "names", bool_or(tgtype & 3 = 3) as "before" from pg_trigger
      where tgrelid = c.oid and not tgisinternal and tgenabled <> 'D' and tgname not like 'mikrokit%') g on true
    left join lateral (select array_agg('rule ' || w.rulename) as "names" from pg_rewrite w
      where c.relhasrules and w.ev_class = c.oid and w.ev_enabled <> 'D') r on true
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')) u
    where u.triggers <> '{}' or u.refuses) as "unusual",
  (select json_agg(json_build_array(n.nspname, c.relname, a.attname))::text
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where a.attgenerated <> '' and not a.attisdropped) as "generated",
  (select json_agg(json_build_array(pn.nspname, p.relname, cn.nspname, c.relname))::text
    from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_namespace pn on pn.oid = p.relnamespace
    join pg_class c on c.oid = i.inhrelid join pg_namespace cn on cn.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f')) as "inherits"`;
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
    add(cascades, id, cascade);
  }
  const generated = new Map<string, string[]>();
  for (const [schema, name, column] of parsed<[string, string, string]>(row['generated'])) {
    add(generated, `${schema}.${name}`, column);
  }
  return {
    database: `${text(row['system']) ?? address}/${text(row['database'])}`,
    searchPath: parsed<string>(row['schemas']),
    isolation: text(row['isolation']) ?? 'read committed',
    cascades,
    unusual: new Map(
      parsed<[string, string, string[], boolean, boolean, boolean]>(row['unusual']).map(
        ([schema, name, triggers, changesRows, rewritten, refusesReturning]) => [
          `${schema}.${name}`,
          { triggers, changesRows, rewritten, refusesReturning },
        ],
      ),
    ),
    generated,
    related: relatedOf(parsed<[string, string, string, string]>(row['inherits'])),
  };
}

/** @param pairs schema and name of a table, and those of one that inherits from it */
function relatedOf(pairs: readonly (readonly [string, string, string, string])[]): Map<string, string[]> {
  const above = new Map<string, string[]>();
  const below = new Map<string, string[]>();
  for (const [schema, name, ownSchema, ownName] of pairs) {
    const [parent, child] = [`${schema}.${name}`, `${ownSchema}.${ownName}`];
    add(above, child, parent);
    add(below, parent, child);
  }
  // Not their siblings: a write to one partition leaves the rows of another.
  return new Map(
    [...new Set([...above.keys(), ...below.keys()])].map(id => [id, [...reached(above, id), ...reached(below, id)]]),
  );
}

function reached(next: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const found = new Set(next.get(from));
  // A set is walked along with what is added to it meanwhile.
  for (const id of found) {
    next.get(id)?.forEach(one => found.add(one));
  }
  return found;
}

function add<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const known = lists.get(key);
  if (known === undefined) {
    lists.set(key, [value]);
  } else {
    known.push(value);
  }
}

/** confdeltype and confupdtype: cascade, set null, set default. */
const CHANGING: ReadonlySet<string> = new Set(['c', 'n', 'd']);

function parsed<T>(json: unknown): T[] {
  return (JSON.parse(text(json) ?? '[]') as T[] | null) ?? [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
