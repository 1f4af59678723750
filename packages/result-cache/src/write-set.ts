import { canonicalWritten } from './column-values.ts';
import type { Statement, TableWrite } from './sql/statement.ts';
import type { ReturnedRows } from './returned-rows.ts';
import { MAX_INTENT_TAGS } from './store.ts';
import type { Cascade, MappedTable, Tables } from './tables.ts';
import { ANY, EVERYTHING, tableTag, unknownTag, valueTag } from './tags.ts';

/** Values of a tracked column that rows of a write had or have; `undefined` if they are not known. */
type Values = Set<string> | undefined;

/** More values of one column than this are as good as not known. */
const MOST_VALUES = 48;

/** What one or more writes change. Grows while a transaction runs, and is told to the store at its commit. */
export class WriteSet {
  readonly #tables: Tables;
  readonly #ignored: 'everything' | 'ignore';
  /** By id of the table, by column. */
  readonly #columns = new Map<string, Map<string, Values>>();
  #everything: string | undefined;

  /** @param unknown whether a write to what cannot be told changes everything, or nothing */
  constructor(tables: Tables, unknown: 'everything' | 'ignore') {
    this.#tables = tables;
    this.#ignored = unknown;
  }

  get isEmpty(): boolean {
    return this.#columns.size === 0 && this.#everything === undefined;
  }

  /** Why it changes everything, if it does. */
  get everything(): string | undefined {
    return this.#everything;
  }

  /** Ids of the tables written. */
  get tables(): ReadonlySet<string> {
    return new Set(this.#columns.keys());
  }

  /** Whether a read of `tables` may see what is written here. */
  touches(tables: readonly string[]): boolean {
    return (
      this.#everything !== undefined ||
      (this.#columns.size > 0 && tables.some(table => table === ANY || this.#columns.has(table)))
    );
  }

  /** @param reason for the event that tells of it */
  addEverything(reason: string): void {
    this.#everything ??= reason;
  }

  addTable(schema: string | undefined, name: string): void {
    this.#addAffected(schema, name, false, new Set());
  }

  /** Rows of a table by the value of one of its columns, as `invalidate(Entity, pk)` names them. */
  addRow(table: MappedTable, ids: readonly string[], values: ReadonlyMap<string, string | undefined>): void {
    for (const id of ids) {
      for (const column of this.#tables.columnsOf(id, table)) {
        const value = values.get(column);
        this.#addValues(id, column, value === undefined ? undefined : [value]);
      }
    }
  }

  addAll(other: WriteSet): void {
    if (other.#everything !== undefined) {
      this.addEverything(other.#everything);
    }
    for (const [id, columns] of other.#columns) {
      this.#tableOf(id);
      for (const [column, values] of columns) {
        this.#addValues(id, column, values);
      }
    }
  }

  copy(): WriteSet {
    const copy = new WriteSet(this.#tables, this.#ignored);
    copy.addAll(this);
    return copy;
  }

  /**
   * What a statement writes.
   *
   * @param returned rows that the statement gave back, with the values of tracked columns of the first table it writes
   */
  addStatement(statement: Statement, parameters: readonly unknown[], returned?: ReturnedRows): void {
    if (statement.verb === 'ddl' || statement.verb === 'commit prepared') {
      this.addEverything(statement.verb);
    } else if (statement.opaque && this.#ignored === 'everything') {
      this.addEverything(`${statement.verb} whose writes cannot be told`);
    }
    for (const write of statement.writes) {
      this.#addWrite(write, parameters, statement.writes.length === 1 ? returned : undefined);
    }
  }

  /** Its tags, at most {@link MAX_INTENT_TAGS}: with too many values, columns as a whole; with too many tables, everything. */
  tags(): string[] {
    if (this.#everything !== undefined) {
      return [EVERYTHING];
    }
    let most = MOST_VALUES;
    for (;;) {
      const tags = this.#tagsWith(most);
      if (tags.length <= MAX_INTENT_TAGS) {
        return tags;
      }
      if (most === 0) {
        return [EVERYTHING];
      }
      most = Math.floor(most / 2);
    }
  }

  #tagsWith(most: number): string[] {
    const tags: string[] = [ANY];
    for (const [id, columns] of this.#columns) {
      tags.push(tableTag(id));
      for (const column of this.#tables.columnsOf(id, undefined)) {
        if (!columns.has(column)) {
          tags.push(unknownTag(id, column));
        }
      }
      for (const [column, values] of columns) {
        if (values === undefined || values.size > most) {
          tags.push(unknownTag(id, column));
        } else {
          values.forEach(value => tags.push(valueTag(id, column, value)));
        }
      }
    }
    return tags;
  }

  #addWrite(write: TableWrite, parameters: readonly unknown[], returned: ReturnedRows | undefined): void {
    const table = this.#tables.find(write.schema, write.name);
    if (table === undefined) {
      // Not mapped: a partition, a table below a view, or one that nothing reads through the cache.
      if (this.#ignored === 'everything') {
        this.addEverything(`a write to ${write.name}, which is not mapped`);
      } else {
        this.#addWhole(write.schema, write.name);
        this.#addConsequencesOf(write, undefined);
      }
      return;
    }
    if (table.view) {
      this.addEverything(`a write to the view ${write.name}`);
      return;
    }
    const ids = this.#tables.idsOf(write.schema, write.name);
    const told = this.#tables.tellsRows(ids);
    const isTold = told === 'yes' || (told === 'old' && write.how === 'delete');
    const columns = [...table.tracked.keys()];
    const generated = new Set(columns.filter(column => this.#tables.isGenerated(ids, table, column)));
    for (const id of ids) {
      this.#tableOf(id);
      for (const [column, kind] of table.tracked) {
        // RETURNING tells what a column is, not what it was: that is the same only where it is not assigned.
        const given = mayAssign(write, column, generated.has(column)) ? undefined : returned?.valuesOf(column, kind);
        const known =
          given ??
          knownValues(write, column, generated.has(column), value => canonicalWritten(kind, value, parameters));
        this.#addValues(id, column, isTold ? known : undefined);
      }
    }
    this.#addConsequencesOf(write, table);
  }

  #addConsequencesOf(write: TableWrite, table: MappedTable | undefined): void {
    const ids = this.#tables.idsOf(write.schema, write.name);
    const isGenerated = (column: string): boolean => this.#tables.isGenerated(ids, table, column);
    // `truncate … cascade` empties whatever refers to the table, whatever the rule of its foreign key. An insert …
    // on conflict changes no key that others refer to, unless it assigns one.
    const follows =
      write.how === 'truncate'
        ? () => write.cascade === true
        : this.#tables.tellsRows(ids) === 'no'
          ? changes
          : (cascade: Cascade) => passesOn(cascade, write, isGenerated);
    this.#addConsequences(write.schema, ids, table, write.cascade === true, follows, new Set());
  }

  /**
   * What a write to a table changes besides: tables that share rows with it, what triggers write, and rows that refer to it.
   *
   * @param from the schema of the table that was written: one that is mapped without a schema, or for all (`*`), refers to
   *   its neighbours there
   * @param follows whether a foreign key passes the write on
   */
  #addConsequences(
    from: string | undefined,
    ids: readonly string[],
    table: MappedTable | undefined,
    truncated: boolean,
    follows: (cascade: Cascade) => boolean,
    seen: Set<string>,
  ): void {
    const written = [table];
    const cascades = [...this.#tables.cascadesOf(ids, table)];
    for (const id of this.#tables.relatedTo(ids)) {
      const { schema, name } = this.#tables.named(id);
      const related = this.#tables.find(schema, name);
      // Reads of what is not mapped depend on all writes; a table may have more partitions than an intent has tags.
      if (related !== undefined || this.#tables.columnsOf(id, undefined).length > 0) {
        this.#addWhole(schema, name);
      }
      written.push(related);
      cascades.push(...this.#tables.cascadesOf([id], related));
    }
    for (const name of new Set(written.flatMap(one => one?.alsoWrites ?? []))) {
      const other = this.#tables.named(name);
      this.#addAffected(other.schema, other.name, false, seen);
    }
    for (const cascade of cascades) {
      if (follows(cascade)) {
        const { schema, name } = this.#tables.named(cascade.table);
        for (const place of schema === undefined || schema === '*' ? [from, undefined] : [schema]) {
          this.#addAffected(place, name, truncated, seen);
        }
      }
    }
  }

  /** A table as a whole with its consequences: which rows were written is not known, nor what was done to them. */
  #addAffected(schema: string | undefined, name: string, truncated: boolean, seen: Set<string>): void {
    // `truncate … cascade` goes further than other writes.
    const id = `${truncated}:${schema}.${name}`;
    if (!seen.has(id)) {
      seen.add(id);
      this.#addWhole(schema, name);
      const table = this.#tables.find(schema, name);
      const ids = this.#tables.idsOf(schema, name);
      this.#addConsequences(schema, ids, table, truncated, truncated ? () => true : changes, seen);
    }
  }

  #addWhole(schema: string | undefined, name: string): void {
    const table = this.#tables.find(schema, name);
    for (const id of this.#tables.idsOf(schema, name)) {
      this.#tableOf(id);
      for (const column of this.#tables.columnsOf(id, table)) {
        this.#addValues(id, column, undefined);
      }
    }
  }

  #tableOf(id: string): Map<string, Values> {
    let columns = this.#columns.get(id);
    if (columns === undefined) {
      this.#columns.set(id, (columns = new Map()));
    }
    return columns;
  }

  #addValues(id: string, column: string, values: Iterable<string> | undefined): void {
    const columns = this.#tableOf(id);
    const known = columns.get(column);
    if (values === undefined || (known === undefined && columns.has(column))) {
      columns.set(column, undefined);
      return;
    }
    const all = known ?? new Set<string>();
    for (const value of values) {
      all.add(value);
    }
    columns.set(column, all.size > MOST_VALUES ? undefined : all);
  }
}

/** No equality is ever true of it, so no tag has it. */
const NULL = '\0null';

/** The values of a column that the rows of a write had before and have after it; `undefined` if they cannot be told. */
function knownValues(
  write: TableWrite,
  column: string,
  isGenerated: boolean,
  text: (value: TableWrite['equals'][number]['values'][number]) => string | undefined,
): string[] | undefined {
  if (write.how === 'truncate' || (isGenerated && write.how !== 'delete')) {
    return undefined;
  }
  const equality = write.equals.find(equal => equal.column === column);
  if (equality === undefined || equality.values.length > MOST_VALUES) {
    return undefined;
  }
  const values = equality.values.map(value => ('literal' in value && value.type === 'null' ? NULL : text(value)));
  if (write.upsert !== undefined && !write.upsert.columns?.includes(column)) {
    // The row that was there is found by other columns; this one may have had any value.
    return undefined;
  }
  const assignment = write.sets.find(set => set.column === column);
  if (assignment !== undefined) {
    values.push(
      assignment.value === undefined
        ? undefined
        : 'literal' in assignment.value && assignment.value.type === 'null'
          ? NULL
          : text(assignment.value),
    );
  }
  return values.every(value => value !== undefined) ? values.filter(value => value !== NULL) : undefined;
}

/** Whether a write may leave a column of a row with another value than it had. */
export function mayAssign(write: TableWrite, column: string, isGenerated: boolean): boolean {
  return (
    write.sets.some(set => set.column === column) || (isGenerated && (write.how === 'update' || write.sets.length > 0))
  );
}

function passesOn(cascade: Cascade, write: TableWrite, isGenerated: (column: string) => boolean): boolean {
  return write.how === 'delete'
    ? cascade.onDelete
    : cascade.onUpdateOf.some(column => mayAssign(write, column, isGenerated(column)));
}

/** Whether a foreign key changes rows at all. */
function changes(cascade: Cascade): boolean {
  return cascade.onDelete || cascade.onUpdateOf.length > 0;
}
