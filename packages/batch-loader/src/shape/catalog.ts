import { Recent } from '../recent.ts';

/** Sends one statement. */
export type Send = (sql: string, params: readonly unknown[]) => Promise<Record<string, unknown>[]>;

/** What the server's catalog knows of a table. */
export interface TableFacts {
  /** Types of its columns, as SQL names them; of a domain, the type beneath. */
  readonly types: ReadonlyMap<string, string>;
  /** Columns of each index, in order; `null` for an expression. Partial indexes, which serve only some conditions, left out. */
  readonly indexes: readonly (readonly (string | null)[])[];
}

const LIFETIME = 300_000;

interface Known {
  readonly facts: Promise<TableFacts>;
  readonly until: number;
  readonly settled: boolean;
}

/**
 * Column types and indexes of tables, from `pg_attribute` and `pg_index` (docs, 52.7 and 52.26): declared indexes may not
 * exist, and existing ones need not be declared. Kept for five minutes, so that an index made meanwhile is noticed.
 */
export class Catalog {
  readonly #known = new Recent<string, Known>(2_000);
  readonly #tables: () => readonly string[];

  /** @param tables names, quoted as in SQL, that will be asked for: they are read by one query */
  constructor(tables: () => readonly string[]) {
    this.#tables = tables;
  }

  /**
   * @param table its name as in SQL, quoted, with its schema if it has one
   * @param isolated whether `send` is a transaction's: it asks by itself rather than wait for an answer that may in turn
   * wait for the transaction's connection, and nobody waits for it, as its failure is its own
   */
  of(table: string, send: Send, isolated: boolean): Promise<TableFacts> {
    const known = this.#known.get(table);
    if (known && known.until > performance.now() && (known.settled || !isolated)) {
      return known.facts;
    }
    const names = [...new Set([table, ...this.#tables()])];
    const read = readTables(names, send);
    const factsOf = (name: string): Promise<TableFacts> => read.then(all => all.get(name) ?? NOTHING);
    const keep = (settled: boolean): void => {
      const until = performance.now() + LIFETIME;
      for (const name of names) {
        const facts = factsOf(name);
        facts.catch(() => undefined);
        this.#known.set(name, { facts, until, settled });
      }
    };
    if (!isolated) {
      keep(false);
    }
    read.then(
      () => keep(true),
      () => !isolated && names.forEach(name => this.#known.delete(name)),
    );
    return factsOf(table);
  }

  /** To be called when a statement failed that relied on it: a column may have another type by now. */
  forget(): void {
    this.#known.clear();
  }
}

const NOTHING: TableFacts = { types: new Map(), indexes: [] };

async function readTables(names: readonly string[], send: Send): Promise<Map<string, TableFacts>> {
  const rows = await send(
    `select t.name,
        (select json_object_agg(a.attname, format_type(coalesce(nullif(y.typbasetype, 0), a.atttypid), null))
          from pg_attribute a join pg_type y on y.oid = a.atttypid
          where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped) as types,
        (select json_agg(
            (select json_agg(a.attname order by k.place) from unnest(i.indkey::int2[]) with ordinality as k(number, place)
              left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number where k.place <= i.indnkeyatts))
          from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
          where i.indrelid = t.oid and i.indisvalid and i.indpred is null and m.amname in ('btree', 'hash')) as indexes
      from (select name, to_regclass(name) as oid from unnest(?::text[]) as n(name)) as t`,
    [`{${names.map(name => `"${name.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`],
  );
  return new Map(
    rows.map(row => [
      row['name'] as string,
      {
        types: new Map(Object.entries((row['types'] ?? {}) as Record<string, string>)),
        indexes: (row['indexes'] ?? []) as (string | null)[][],
      },
    ]),
  );
}

/**
 * Whether an index finds the rows of one call: it leads with columns that are fixed, at least one of them by the call.
 *
 * @param fixed columns with one value in the statement
 * @param own those of them whose value differs by call
 * @returns the columns it leads with
 */
export function leadingColumns(
  { indexes }: TableFacts,
  fixed: ReadonlySet<string>,
  own: ReadonlySet<string>,
): readonly string[] | undefined {
  for (const columns of indexes) {
    const leading: string[] = [];
    for (const column of columns) {
      if (column === null || !fixed.has(column)) {
        break;
      }
      leading.push(column);
    }
    if (leading.some(column => own.has(column))) {
      return leading;
    }
  }
  return undefined;
}
