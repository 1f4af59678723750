import type { Clauses } from './clauses.ts';
import { quoted } from './identifiers.ts';
import type { Template } from './slots.ts';
import type { StatementText } from './statement-text.ts';

/** The columns that say which call a row is for, and its place among that call's rows. */
export const TAG = '_mk_tag';
const CALL = '_mk_call';
const ORDER = '_mk_ord';
const LIMIT = '_mk_limit';
const OFFSET = '_mk_offset';

/** The columns of a page with its total. */
export const TOTAL = '_mk_total';
export const PLACE = '_mk_place';

/** What a merged statement adds to a row. */
export const ADDED_COLUMNS: ReadonlySet<string> = new Set([TAG, ORDER, LIMIT, OFFSET, TOTAL, PLACE]);

/**
 * How the calls of one shape become one statement:
 * - `any`: the one value that differs is a key: `key = any(array)`, and the key tells whose a row is;
 * - `join`: the calls' values are a table, joined with the statement's own. PostgreSQL chooses how;
 * - `lateral`: the statement is run once per call, within the server: each run stops at its own limit;
 * - `window`: rows are numbered per call in one pass and cut at each call's limit: where there is no index to stop early by;
 * - `group`: aggregates, grouped by call;
 * - `exists`: a semi-join.
 */
export type Strategy = 'any' | 'join' | 'lateral' | 'window' | 'group' | 'exists';

/** What stands in a slot: a value that all calls share, or a column of the calls' table. */
export type Binding =
  | {
      readonly kind: 'constant';
      readonly parameter: unknown;
      /** for a list: the type of its array */ readonly arrayType?: string;
    }
  | { readonly kind: 'column'; readonly name: string };

/** One column of the table of calls. */
export interface CallColumn {
  readonly name: string;
  readonly type: string;
  /** An array literal with one element per call. */
  readonly values: string;
}

/** A statement with a `?` for each parameter. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

export interface Merge {
  readonly text: StatementText;
  readonly bindings: readonly Binding[];
  readonly columns: readonly CallColumn[];
  /** Number of calls. */
  readonly calls: number;
  /** The most rows to return; `Infinity` for all. */
  readonly rowCap: number;
}

/** Text and parameters side by side, so that neither can get out of step. */
class Sql {
  #text = '';
  readonly #params: unknown[] = [];

  add(text: string, ...params: readonly unknown[]): this {
    this.#text += text;
    this.#params.push(...params);
    return this;
  }

  fill(template: Template, bindings: readonly Binding[]): this {
    for (const part of template) {
      if (typeof part === 'string') {
        this.#text += part;
      } else {
        this.#bind(bindings[part]!);
      }
    }
    return this;
  }

  #bind(binding: Binding): void {
    if (binding.kind === 'column') {
      this.#text += reference(binding.name);
    } else {
      this.add(binding.arrayType === undefined ? '?' : `?::${binding.arrayType}`, binding.parameter);
    }
  }

  done(): Statement {
    return { sql: this.#text, params: this.#params };
  }
}

function reference(column: string): string {
  return `"_mk"."${column}"`;
}

/** The table of calls: one row per call, one array parameter per column, however many calls. */
function addCalls(sql: Sql, { columns, calls }: Merge): void {
  const tags = `{${Array.from({ length: calls }, (_, tag) => tag).join(',')}}`;
  const names = [CALL, ...columns.map(({ name }) => name)].map(name => `"${name}"`).join(', ');
  // unnest() takes arrays apart down to their elements, so a column of arrays travels as their text. `offset 0` has it
  // converted once per call, not once per row that it is compared with.
  const arrays = columns.filter(({ type }) => type.endsWith('[]'));
  if (arrays.length > 0) {
    sql.add(
      `(select "${CALL}", ${columns.map(({ name, type }) => `"${name}"::${type} as "${name}"`).join(', ')} from `,
    );
  }
  sql.add('unnest(?::int4[]', tags);
  for (const { type, values } of columns) {
    sql.add(`, ?::${type.endsWith('[]') ? 'text' : type}[]`, values);
  }
  sql.add(arrays.length > 0 ? `) as "_mk"(${names}) offset 0) as "_mk"` : `) as "_mk"(${names})`);
}

function addCap(sql: Sql, rowCap: number): Statement {
  return (rowCap === Infinity ? sql : sql.add(' limit ?', rowCap)).done();
}

/** Runs the statement as it is, once per call. */
export function mergeLateral(merge: Merge): Statement {
  const sql = new Sql().add(`select "_mk"."${CALL}" as "${TAG}", "_mk_row".* from `);
  addCalls(sql, merge);
  // Numbered rows keep their order, which a join of subqueries does not promise; and they keep PostgreSQL from merging the
  // subquery with the join, so that it runs once per call as the call itself would.
  sql.add(` cross join lateral (select row_number() over () as "${ORDER}", "_mk_own".* from (`);
  sql.fill(merge.text.whole, merge.bindings);
  sql.add(`) as "_mk_own") as "_mk_row" order by "_mk"."${CALL}", "_mk_row"."${ORDER}"`);
  return addCap(sql, merge.rowCap);
}

/** Joins the table of calls with the statement's own; for statements without a limit. */
export function mergeJoin(merge: Merge, clauses: Clauses): Statement {
  const sql = new Sql().add(`${clauses.lead}select "_mk"."${CALL}" as "${TAG}",`).fill(clauses.columns, merge.bindings);
  addJoin(sql, merge, clauses);
  sql.add(` order by "_mk"."${CALL}"`);
  if (clauses.orderBy.length > 0) {
    sql.add(',').fill(clauses.orderBy, merge.bindings);
  }
  return addCap(sql, merge.rowCap);
}

function addJoin(sql: Sql, merge: Merge, clauses: Clauses): void {
  sql.add('from ');
  addCalls(sql, merge);
  sql.add(' cross join').fill(clauses.from, merge.bindings);
  if (clauses.where.length > 0) {
    sql.add('where').fill(clauses.where, merge.bindings);
  }
}

/** Numbers the rows of each call in one pass over the table, and keeps those within its limit. */
export function mergeWindow(merge: Merge, clauses: Clauses): Statement {
  const { bindings } = merge;
  const sql = new Sql().add(
    `select * from (${clauses.lead}select "_mk"."${CALL}" as "${TAG}", row_number() over (partition by "_mk"."${CALL}"`,
  );
  if (clauses.orderBy.length > 0) {
    sql.add(' order by').fill(clauses.orderBy, bindings);
  }
  sql.add(`) as "${ORDER}", `);
  sql.fill(clauses.limit === undefined ? ['null::int8'] : ['', clauses.limit, ''], bindings).add(` as "${LIMIT}", `);
  sql.fill(clauses.offset === undefined ? ['0'] : ['', clauses.offset, ''], bindings).add(` as "${OFFSET}",`);
  sql.fill(clauses.columns, bindings);
  addJoin(sql, merge, clauses);
  sql.add(
    `) as "_mk_row" where "${ORDER}" > "${OFFSET}" and ("${LIMIT}" is null or "${ORDER}" <= "${OFFSET}" + "${LIMIT}") order by "${TAG}", "${ORDER}"`,
  );
  return addCap(sql, merge.rowCap);
}

/** Groups an aggregate over the whole statement by call. A call without rows has no group. */
export function mergeGroup(merge: Merge, clauses: Clauses): Statement {
  const sql = new Sql().add(`${clauses.lead}select "_mk"."${CALL}" as "${TAG}",`).fill(clauses.columns, merge.bindings);
  addJoin(sql, merge, clauses);
  return sql.add(` group by "_mk"."${CALL}"`).done();
}

/** The tags of the calls that have a row. */
export function mergeExists(merge: Merge): Statement {
  const sql = new Sql().add(`select "_mk"."${CALL}" as "${TAG}" from `);
  addCalls(sql, merge);
  return sql.add(' where exists (').fill(merge.text.whole, merge.bindings).add(')').done();
}

/**
 * Rows by their key. The table of calls is not needed: its one column is the array.
 *
 * @param key the slot of the key, and the column it is compared with
 */
export function mergeAny(
  merge: Merge,
  clauses: Clauses,
  key: { slot: number; alias: string; column: string },
): Statement {
  const [{ type, values }] = merge.columns as [CallColumn];
  const column = `${quoted(key.alias)}.${quoted(key.column)}`;
  const bindings = merge.bindings.map((binding, slot): Binding =>
    slot === key.slot ? { kind: 'constant', parameter: values, arrayType: `${type}[]` } : binding,
  );
  // `= ?` becomes `= any(?)`.
  const where = clauses.where.flatMap((part, index) => {
    const text = clauses.where[index - 1] === key.slot && typeof part === 'string' ? `)${part}` : part;
    return clauses.where[index + 1] === key.slot && typeof text === 'string' ? [`${text}any(`] : [text];
  });
  const sql = new Sql().add(`${clauses.lead}select ${column}::text as "${TAG}",`).fill(clauses.columns, bindings);
  sql.add('from').fill(clauses.from, bindings).add('where').fill(where, bindings);
  sql.add(` order by ${column}`);
  if (clauses.orderBy.length > 0) {
    sql.add(',').fill(clauses.orderBy, bindings);
  }
  return addCap(sql, merge.rowCap);
}
