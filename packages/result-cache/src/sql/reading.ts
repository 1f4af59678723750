import type { Nested } from './conditions.ts';
import type { Equality, TableWrite, Verb } from './model.ts';
import type { Token } from './tokens.ts';

/** A use whose WHERE is yet to be read. */
export interface Use {
  readonly schema?: string;
  readonly name: string;
  equals: Equality[];
}

/** The names that a WITH gives; a CTE that is not recursive sees those before it. */
export interface Scope {
  readonly names: Map<string, number>;
  readonly seen: number;
  readonly around: Scope | undefined;
}

/** Given to a reading, not imported by its parts: expressions hold queries, which consist of expressions. */
export type QueryReader = (reading: Reading, from: number, to: number, end?: number) => { verb: Verb; at: number };

/** Nobody writes deeper queries, and a depth without bounds is a stack without bounds. */
export const DEPTH = 150;

/** The tokens of a statement, what was found in them so far, and where in it the reading is: its parts share one. */
export class Reading {
  readonly source: string;
  readonly sql: Nested;
  readonly tokens: readonly Token[];
  readonly close: Int32Array;
  readonly pure: ReadonlySet<string> | undefined;
  readonly reads: Use[] = [];
  readonly writes: TableWrite[] = [];
  uncacheable: string | undefined;
  opaque = false;
  settings = false;
  /** `select … into`: it makes a table. */
  into = false;
  /** Whether something was not understood. */
  lost = false;
  scope: Scope | undefined;
  depth = 0;
  /** Whether columns of an outer query may be meant. */
  correlated = false;
  /** Whether it is in a GROUP BY. */
  grouping = false;
  readonly #readQuery: QueryReader;

  /** @param pure functions that the user vouches for */
  constructor(source: string, sql: Nested, pure: ReadonlySet<string> | undefined, readQuery: QueryReader) {
    this.source = source;
    this.sql = sql;
    this.tokens = sql.tokens;
    this.close = sql.close;
    this.pure = pure;
    this.#readQuery = readQuery;
  }

  is(at: number, text: string): boolean {
    const token = this.tokens[at];
    return token !== undefined && token.kind === 'word' && token.text === text;
  }

  isOperator(at: number, text: string): boolean {
    const token = this.tokens[at];
    return token !== undefined && token.kind === 'operator' && token.text === text;
  }

  slice({ start, end }: Token): string {
    return this.source.slice(start, end);
  }

  /** Its result must not be kept; the first reason is the one that is told. */
  refuse(reason: string): void {
    this.uncacheable ??= reason;
  }

  /** Something is not understood; whether the statement may have effects all the same is found in the end. */
  lose(what: string): void {
    this.lost = true;
    this.refuse(`cannot be read: ${what}`);
  }

  /** Reads a query; @returns where it ends. */
  query(from: number, to: number, end?: number): { verb: Verb; at: number } {
    return this.#readQuery(this, from, to, end);
  }

  /** A query in parentheses, whose end is known. */
  queryWithin(from: number, to: number, correlated: boolean): void {
    const before = this.correlated;
    this.correlated ||= correlated;
    if (this.query(from, to).at !== to) {
      this.lose('what follows a query');
    }
    this.correlated = before;
  }
}

/** Whether it may be the name of something. */
export function isName({ kind }: Token): boolean {
  return kind === 'word' || kind === 'name' || kind === 'label' || kind === 'blank';
}
