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
