import type { Compiled } from './seam/connection-watch.ts';
import { ReturnedRows } from './returned-rows.ts';
import type { Statement, TableWrite } from './sql/statement.ts';
import type { MappedTable, Tables } from './tables.ts';
import { mayAssign } from './write-set.ts';

/** A statement that also returns the tracked columns that its text does not tell. */
export interface Returning {
  readonly sql: string;
  /** Whether it returned something before. */
  readonly present: boolean;
  /** What the columns are called in the rows. */
  readonly names: ReadonlyMap<string, string>;
}

const PREFIX = '_mk_';

/**
 * Which rows a statement has changed is known only to the database: a row found by its key may be in any partition, and a
 * new one has the key that a sequence gave it. Such a statement is made to return them, as long as its text bounds how many
 * rows there are: those it inserts, or those with the keys that it names.
 *
 * @returns `undefined` if it is fine as it is, or touches too many rows to have them returned
 */
export function addReturning(statement: Statement, compiled: Compiled, tables: Tables): Returning | undefined {
  const [write, second] = statement.writes;
  if (write?.returning === undefined || second !== undefined || statement.opaque) {
    return undefined;
  }
  const table = tables.find(write.schema, write.name);
  const ids = tables.idsOf(write.schema, write.name);
  if (table === undefined || table.view || !isBounded(write, table) || !tables.mayReturn(ids)) {
    return undefined;
  }
  const columns = [...table.tracked.keys()].filter(
    column =>
      !mayAssign(write, column, tables.isGenerated(ids, table, column)) &&
      !write.equals.some(equality => equality.column === column),
  );
  if (columns.length === 0) {
    return undefined;
  }
  const { end, present } = write.returning;
  const names = new Map(columns.map((column, index) => [column, `${PREFIX}${index}`]));
  const qualifier = write.qualifier ?? quoted(write.name);
  const list = columns.map(column => `${qualifier}.${quoted(column)} as "${names.get(column)}"`).join(', ');
  const { sql } = compiled;
  return {
    sql: `${sql.slice(0, end)}${present ? ', ' : ' returning '}${list}${sql.slice(end)}`,
    present,
    names,
  };
}

/** The rows as they would have been, and what was added to them. */
export function takeReturned(
  { present, names }: Returning,
  rows: Record<string, unknown>[],
): { rows: Record<string, unknown>[]; returned: ReturnedRows } {
  const values = rows.map(row => Object.fromEntries([...names.values()].map(name => [name, row[name]])));
  if (present) {
    for (const row of rows) {
      for (const name of names.values()) {
        delete row[name];
      }
    }
  }
  return { rows: present ? rows : [], returned: new ReturnedRows(values, names) };
}

function isBounded(write: TableWrite, table: MappedTable): boolean {
  return write.how === 'insert'
    ? write.equals.length > 0 || write.returning?.present === true
    : table.primaryKey.length > 0 &&
        table.primaryKey.every(column => write.equals.some(equality => equality.column === column));
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
