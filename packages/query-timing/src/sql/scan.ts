import { Scanner } from './scanner.ts';

/** What a statement is. */
export type StatementKind =
  | 'select'
  | 'insert'
  | 'update'
  | 'delete'
  | 'merge'
  | 'call'
  | 'ddl'
  /** begin, commit, rollback, savepoint … */
  | 'transaction'
  /** set, reset, show */
  | 'setting'
  | 'other';

/** What one pass over a statement's text tells. */
export interface Scan {
  /** 64 bits of the normalised text, 16 hexadecimal digits. */
  readonly id: string;
  /** The text without values and comments, lists collapsed, at most 4096 characters. */
  readonly text: string;
  readonly kind: StatementKind;
  /** In the order of the text, without schema and quotes, at most eight, each once. */
  readonly tables: readonly string[];
  /** `select author`, `insert book`, `select book author`: at most 255 characters (`db.query.summary` of OpenTelemetry). */
  readonly summary: string;
  /** One select, values or with that changes and locks nothing: what may be explained. */
  readonly loneRead: boolean;
  /** Whether there was a comment in it: another must not be added. */
  readonly hasComment: boolean;
  /** Whether a list of more than one value was collapsed: it asks for several at once. */
  readonly hasList: boolean;
}

/**
 * Reads a statement as MikroORM writes it (`?`, `??`, `\\?`) or as it is sent (`$1`, values in place), in one pass over its
 * characters that never throws and takes time in proportion to its length, whatever the text.
 *
 * Two statements have one `id` if they differ in nothing but:
 * - values: strings of any kind, numbers (with a minus), `?`, `$1`, `:name`; `null`, `true` and `false` where a value stands
 *   (not in `is null`, `not null`, `on true`, `set null`, `as null`); `default` in a list of values;
 * - how many values are in a list of nothing but values, `in (…)`, `= (…)`, `any(array[…])` or `any('{…}')`, and their casts there;
 *   rows of `values`, whatever is in the second and those behind it. Arguments of a function are no list;
 * - upper and lower case of what is not in quotes, white space, comments, semicolons at either end;
 * - names of savepoints.
 *
 * PostgreSQL's parser tells less apart (libpg-query's fingerprint): to it `id = 1`, `id in (1)` and `id in (1, 2)` are one, so are
 * `"a"` and `a`, `a` and `s.a`, `(1)` and `1`, `select * from a` and `table a`, `as` and its absence, and other ways to write the
 * same. It tells apart, as this does, statements that differ in aliases.
 *
 * `text` is the statement as it was written, its case too, with values as `?` and white space as one space; of those with one
 * `id` each has its own. A name that does not end counts as a value, as it may be one.
 *
 * Trap: `standard_conforming_strings` is taken to be on. `= any($1)` does not tell how many values there are.
 */
export function scan(sql: string): Scan {
  return new Scanner(sql).scan();
}
