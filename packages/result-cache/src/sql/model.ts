/** What a statement does, as far as a cache has to know. */
export type Verb =
  | 'select'
  | 'insert'
  | 'update'
  | 'delete'
  | 'merge'
  | 'truncate'
  | 'ddl'
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'rollback to'
  | 'release'
  | 'prepare transaction'
  | 'commit prepared'
  | 'set'
  | 'harmless'
  | 'unknown';

/** What is known of one statement. Where it is in doubt it claims more reads, more writes and fewer equalities. */
export interface Statement {
  readonly verb: Verb;
  /**
   * The name of a savepoint; of `begin` its isolation level if it names one, in lower case; of `set` and `reset` the
   * parameter, in lower case (`search_path`, `role`, `all`, …); `chain` of `commit and chain` and `rollback and chain`,
   * after which another transaction is open.
   */
  readonly detail?: string;
  /** `set local …`, `set transaction …`. */
  readonly local?: boolean;
  /** Every relation that is read anywhere in it, and the targets of update, delete and merge. One per occurrence. */
  readonly reads: readonly TableUse[];
  /** Every relation that is written, by data-modifying CTEs too. */
  readonly writes: readonly TableWrite[];
  /** Why the result of a select must not be kept. */
  readonly uncacheable?: string;
  /** It calls `set_config()`: settings such as the search path or the role may be others afterwards. */
  readonly settings?: boolean;
  /** It may write to what cannot be told. Always true of `unknown` and of `ddl`. */
  readonly opaque: boolean;
}

/** A relation that is read. */
export interface TableUse {
  readonly schema?: string;
  readonly name: string;
  /** What every row of it that matters has, by the WHERE of the query level it stands in. */
  readonly equals: readonly Equality[];
}

/** A relation that is written. */
export interface TableWrite {
  readonly schema?: string;
  readonly name: string;
  readonly how: 'insert' | 'update' | 'delete' | 'truncate';
  /** What every affected row had before; of an insert, the plain values of its rows. */
  readonly equals: readonly Equality[];
  /** Columns that are assigned, by `on conflict do update` and merge too, with the new value if it is plain. */
  readonly sets: readonly Assignment[];
  /** An insert that may change an existing row instead; the conflict columns if it names them. */
  readonly upsert?: { readonly columns: readonly string[] | undefined };
  /** `truncate … cascade`. */
  readonly cascade?: boolean;
  /**
   * Whether there is a RETURNING, and where in the SQL one, or `, …` if there is one, can be appended. Left out where
   * that cannot be told.
   */
  readonly returning?: { readonly present: boolean; readonly end: number };
  /** What its columns can be qualified with in RETURNING, as written: the alias or the name. */
  readonly qualifier?: string;
}

/** `column = v`, `column in (v, …)` or a part of `(column, …) in ((v, …), …)`. */
export interface Equality {
  readonly column: string;
  readonly values: readonly SqlValue[];
}

export interface Assignment {
  readonly column: string;
  /** `undefined` if it is not plain. */
  readonly value: SqlValue | undefined;
}

/** A value that can be told: a placeholder (the index counts from 0) or a literal. */
export type SqlValue =
  | { readonly parameter: number }
  | { readonly literal: string; readonly type: 'string' | 'number' | 'boolean' | 'null' };
