import type { ColumnKind } from './column-values.ts';
import type { DatabaseFacts } from './database-facts.ts';

/** What the rows of an entity depend on besides the statement (`scope` of its options). */
export type Scope = (em: unknown) => unknown;

/** A table that entities are mapped to, as far as the cache has to know it. */
export interface MappedTable {
  readonly schema: string | undefined;
  readonly name: string;
  /** Columns whose values make tags of their own: those of the primary key, and what `partitionBy` names. */
  readonly tracked: ReadonlyMap<string, ColumnKind>;
  /** The columns of the primary key; empty if one of them cannot be tracked. */
  readonly primaryKey: readonly string[];
  /** Columns that the database computes from others: they change although no statement assigns them. */
  readonly generated: ReadonlySet<string>;
  /** Changes with the mapping of its entities, so that two releases never read each other's rows. */
  readonly shape: string;
  /** Tables that refer to it, by foreign keys. */
  readonly cascades: readonly Cascade[];
  readonly scopes: readonly Scope[];
  /** Tables that reads of it look at without naming them. */
  readonly dependsOn: readonly string[];
  /** Tables that writes to it change without naming them. */
  readonly alsoWrites: readonly string[];
  /** Whether somebody has said what its triggers write. */
  readonly tellsWrites: boolean;
  /** A view: what it reads is not known. */
  readonly view: boolean;
}

/** What a foreign key of `table` does when a row that it refers to goes, or changes its referenced columns. */
export interface Cascade {
  /** Id of the table that holds the foreign key. */
  readonly table: string;
  readonly onDelete: boolean;
  /** Referenced columns whose change is passed on; empty for none. */
  readonly onUpdateOf: readonly string[];
}

/** The tables of one ORM, found by the names that a statement calls them by. */
export class Tables {
  readonly #byId = new Map<string, MappedTable>();
  readonly #byName = new Map<string, MappedTable[]>();
  /** Schemas that a bare name is looked for in, in order. */
  #searchPath: readonly string[] = [];
  #facts: DatabaseFacts | undefined;
  /** By id: columns that only other processes on the same store tell apart. */
  readonly #others = new Map<string, string[]>();
  #isSettled: (column: string) => boolean = () => true;

  constructor(tables: readonly MappedTable[], facts: DatabaseFacts | undefined) {
    for (const table of tables) {
      const known = this.#byName.get(table.name);
      if (known === undefined) {
        this.#byName.set(table.name, [table]);
      } else {
        known.push(table);
      }
    }
    this.#lookIn(['public']);
    if (facts !== undefined) {
      this.learn(facts);
    }
  }

  /** What the database itself says is added to what is mapped. */
  learn(facts: DatabaseFacts): void {
    this.#facts = facts;
    this.#lookIn(facts.searchPath.length === 0 ? ['public'] : facts.searchPath);
  }

  /**
   * @param others columns that only other processes on the same store tell apart, as `table?column`
   * @param isSettled whether all processes know of a column that this one tells apart
   */
  share(others: readonly string[], isSettled: (column: string) => boolean): void {
    this.#others.clear();
    for (const tag of others) {
      const at = tag.indexOf('?');
      const id = tag.slice(0, at);
      this.#others.set(id, [...(this.#others.get(id) ?? []), tag.slice(at + 1)]);
    }
    this.#isSettled = isSettled;
  }

  /** All columns that are told apart, as `table?column`. */
  columns(): string[] {
    return [...this.#byId].flatMap(([id, { tracked }]) => [...tracked.keys()].map(column => `${id}?${column}`));
  }

  /** The columns that a write to a table has to name: those of `table`, and those that others know of. */
  columnsOf(id: string, table: MappedTable | undefined): readonly string[] {
    const others = this.#others.get(id) ?? [];
    return table === undefined ? others : [...table.tracked.keys(), ...others];
  }

  /** Whether an entry may depend on one value of a column only. A primary key is one for everybody. */
  mayNarrow(id: string, table: MappedTable, column: string): boolean {
    return table.primaryKey.includes(column) || this.#isSettled(`${id}?${column}`);
  }

  get facts(): DatabaseFacts | undefined {
    return this.#facts;
  }

  /** The foreign keys that refer to a table: those of entities, and those that the database has. */
  cascadesOf(ids: readonly string[], table: MappedTable | undefined): readonly Cascade[] {
    const own = ids.flatMap(id => this.#facts?.cascades.get(id) ?? []);
    return table === undefined || table.cascades.length === 0 ? own : [...table.cascades, ...own];
  }

  /**
   * Whether what a statement's text says of its rows is what is written: `no` if a rule may do something else instead, `old` if
   * it is of the rows that there were only, since a trigger may change the new ones.
   */
  tellsRows(ids: readonly string[]): 'yes' | 'old' | 'no' {
    const found = ids.map(id => this.#facts?.unusual.get(id));
    return found.some(one => one?.rewritten) ? 'no' : found.some(one => one?.changesRows) ? 'old' : 'yes';
  }

  /** Whether an update may change a column that it does not name. */
  isGenerated(ids: readonly string[], table: MappedTable | undefined, column: string): boolean {
    return table?.generated.has(column) === true || ids.some(id => this.#facts?.generated.get(id)?.includes(column));
  }

  /** Ids of the tables that share rows with some: those they inherit from or are partitions of, and those below them. */
  relatedTo(ids: readonly string[]): string[] {
    const found = ids.flatMap(id => this.#facts?.related.get(id) ?? []);
    return found.length === 0 ? found : [...new Set(found)].filter(id => !ids.includes(id));
  }

  /** Whether a statement may be made to return what it has written. */
  mayReturn(ids: readonly string[]): boolean {
    return this.#facts !== undefined && !ids.some(id => this.#facts!.unusual.get(id)?.refusesReturning);
  }

  #lookIn(schemas: readonly string[]): void {
    this.#searchPath = schemas;
    this.#byId.clear();
    for (const tables of this.#byName.values()) {
      for (const table of tables) {
        for (const id of this.idsOf(table.schema, table.name)) {
          this.#byId.set(id, table);
        }
      }
    }
  }

  /**
   * The ids (`schema.table`) that a name may stand for: a bare name is one in any schema of the search path, since only the
   * database knows in which of them a table of that name is.
   */
  idsOf(schema: string | undefined, name: string): string[] {
    return schema === undefined ? this.#searchPath.map(one => `${one}.${name}`) : [`${schema}.${name}`];
  }

  /**
   * What is known of a table. One that exists in several schemas (`schema: '*'`, a schema per tenant) is mapped once, and
   * is found in each of them.
   */
  find(schema: string | undefined, name: string): MappedTable | undefined {
    for (const id of this.idsOf(schema, name)) {
      const table = this.#byId.get(id);
      if (table !== undefined) {
        return table;
      }
    }
    return this.#byName.get(name)?.find(table => table.schema === undefined || table.schema === '*');
  }

  /** `find`, for a name such as `schema.table` or `table`. */
  named(name: string): { readonly schema: string | undefined; readonly name: string } {
    const dot = name.indexOf('.');
    return dot < 0 ? { schema: undefined, name } : { schema: name.slice(0, dot), name: name.slice(dot + 1) };
  }
}
