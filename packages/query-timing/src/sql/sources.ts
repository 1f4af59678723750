/** The tables that the names of one query may stand for. */
export class Sources {
  readonly #outer: Sources | undefined;
  /** Tables by alias; `undefined` for what is no table. */
  readonly #byAlias = new Map<string, string | undefined>();
  #count = 0;
  #only: string | undefined;

  /** @param outer of the query that this one stands in */
  constructor(outer: Sources | undefined) {
    this.#outer = outer;
  }

  /** @param alias what it is called here @param table without schema; `undefined`: a query, a function, a name of `with` */
  add(alias: string | undefined, table: string | undefined): void {
    this.#count++;
    this.#only = table;
    if (alias !== undefined) {
      // One alias for two tables: none can be told.
      this.#byAlias.set(alias, this.#byAlias.has(alias) ? undefined : table);
    }
  }

  /** The table of a column, by what stands before it. */
  tableOf(qualifier: string | undefined): string | undefined {
    if (qualifier === undefined) {
      return this.#outer === undefined && this.#count === 1 ? this.#only : undefined;
    }
    return this.#byAlias.has(qualifier) ? this.#byAlias.get(qualifier) : this.#outer?.tableOf(qualifier);
  }
}
