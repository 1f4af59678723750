import { hashValue, NOTHING } from './value-hash.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];

const MOST = 32;
/** A loop goes over rows from the first on; a column with few different values shows them in the rest. */
const FIRST = 16;

/** Hashes of some values of one column of the rows of one shape. */
export class KeySample {
  readonly values: number[] = [];
  /** Whether there were no others. */
  isComplete = true;

  add(rows: Rows, key: string): void {
    const { values } = this;
    const room = MOST - values.length;
    if (rows.length <= room) {
      for (const row of rows) {
        this.#take(row[key]);
      }
      return;
    }
    this.isComplete = false;
    const first = Math.min(room, FIRST);
    for (let index = 0; index < first; index++) {
      this.#take(rows[index]![key]);
    }
    const rest = room - first;
    const step = (rows.length - first) / rest;
    for (let index = 0; index < rest; index++) {
      this.#take(rows[Math.floor(first + index * step)]![key]);
    }
  }

  has(hash: number): boolean {
    return this.values.includes(hash);
  }

  #take(value: unknown): void {
    const hash = hashValue(value);
    const { values } = this;
    // Rows of one parent follow each other: as often as not it is the value of the row before.
    if (hash !== NOTHING && (values.length === 0 || hash !== values[values.length - 1])) {
      values.push(hash);
    }
  }
}
