import { canonicalValue } from './column-values.ts';

/** Values of columns in the rows that a statement gave back. */
export class ReturnedRows {
  readonly #rows: readonly Readonly<Record<string, unknown>>[];
  /** What the column is called in the rows; `undefined` if it is not among them. */
  readonly #names: ReadonlyMap<string, string>;

  constructor(rows: readonly Readonly<Record<string, unknown>>[], names: ReadonlyMap<string, string>) {
    this.#rows = rows;
    this.#names = names;
  }

  valuesOf(column: string, kind: Parameters<typeof canonicalValue>[0]): string[] | undefined {
    const name = this.#names.get(column);
    if (name === undefined) {
      return undefined;
    }
    const values: string[] = [];
    for (const row of this.#rows) {
      // No equality is ever true of null, so no tag has it.
      if (row[name] === null) {
        continue;
      }
      const value = canonicalValue(kind, row[name]);
      if (value === undefined) {
        return undefined;
      }
      values.push(value);
    }
    return values;
  }
}
