import type { Scan } from '../sql/scan.ts';
import type { TableName } from '../plans/table-facts.ts';
import type { ChosenIndex } from './index-choice.ts';
import type { Verdict } from './verdict.ts';

/** An index that is advised, for all the shapes that want it. */
export interface AdvisedIndex {
  /** Its place in the list of all that were ever advised; the same when the index grows. */
  readonly first: ChosenIndex;
  readonly table: TableName;
  readonly index: ChosenIndex;
  /** By id of the shape. */
  readonly wantedBy: ReadonlyMap<string, Wanting>;
}

/** Why a shape wants it. */
export interface Wanting {
  readonly shape: Scan;
  /** `Seq Scan on book`. */
  readonly node: string;
  readonly verdict: Exclude<Verdict, { readonly helps: false }>;
}

const MOST_INDEXES = 50;
const MOST_SHAPES = 20;

/** All indexes that are advised, merged: one whose columns another begins with is that other. */
export class AdvisedIndexes {
  #all: readonly AdvisedIndex[] = [];

  /** @returns the index that serves the shape, with all that want it; `undefined` if there are too many already */
  add(table: TableName, index: ChosenIndex, wanting: Wanting): AdvisedIndex | undefined {
    const like = this.#all.find(each => sameTable(each.table, table) && merged(each.index, index) !== undefined);
    if (!like && this.#all.length >= MOST_INDEXES) {
      return undefined;
    }
    const wantedBy = new Map(like?.wantedBy);
    if (wantedBy.size < MOST_SHAPES || wantedBy.has(wanting.shape.id)) {
      wantedBy.set(wanting.shape.id, wanting);
    }
    const advised = like
      ? { ...like, index: merged(like.index, index)!, wantedBy }
      : { first: index, table, index, wantedBy };
    this.#all = [...this.#all.filter(each => each !== like), advised];
    return advised;
  }

  clear(): void {
    this.#all = [];
  }
}

/**
 * One index for both, if the columns of one are the first of the other; partial only as far as both are.
 * @returns `undefined` if there is none
 */
export function merged(one: ChosenIndex, other: ChosenIndex): ChosenIndex | undefined {
  const [long, short] = one.columns.length >= other.columns.length ? [one, other] : [other, one];
  const begins = short.columns.every((column, place) => JSON.stringify(column) === JSON.stringify(long.columns[place]));
  return begins
    ? { columns: long.columns, isNull: one.isNull.filter(column => other.isNull.includes(column)) }
    : undefined;
}

function sameTable(one: TableName, other: TableName): boolean {
  return one.name === other.name && one.schema === other.schema;
}
