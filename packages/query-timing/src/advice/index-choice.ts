import type { ColumnFacts, IndexFacts } from './index-facts.ts';
import type { WantedIndex } from './wanted-index.ts';

/** A column of an index that is advised; with an order only where it matters. */
export interface IndexColumn {
  readonly column: string;
  readonly order: { readonly descending: boolean; readonly nullsFirst: boolean } | undefined;
}

/** An index that may help. */
export interface ChosenIndex {
  readonly columns: readonly IndexColumn[];
  /** Columns that are null in all its rows: it is partial. */
  readonly isNull: readonly string[];
}

/** What is known of the table. */
export interface ChoiceFacts {
  readonly rows: number;
  /** Without those that are not known. */
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  readonly indexes: readonly IndexFacts[];
}

const MOST_COLUMNS = 3;
/** With so few rows left another column is not worth it (as PgHero). */
const FEW_ROWS = 50;
/** A column that keeps more than this part of the rows at the end of an index is not worth it (as PgHero). */
const KEEPS_MOST = 0.3;
/** A column that is null that rarely is worth an index of only those rows. */
const RARELY = 0.1;

/**
 * Equality columns, the most selective first, while at least 50 rows are left; then the columns of the order, or one range;
 * three columns at most.
 * @returns `undefined` if none would help, or if there is one that begins like this
 */
export function chooseIndex(want: WantedIndex, facts: ChoiceFacts): ChosenIndex | undefined {
  const isNull = want.isNull.filter(column => (facts.columns.get(column)?.nulls ?? 0) < 1);
  const nullPart = isNull.reduce((part, column) => part * (facts.columns.get(column)?.nulls ?? 1), 1);
  const { columns: equality, left } = selective(want.equality, facts, facts.rows * nullPart);
  const room = MOST_COLUMNS - equality.length;
  const order = ordered(want.sort.filter(({ column }) => !want.equality.includes(column)).slice(0, room));
  const range = left < FEW_ROWS ? [] : want.range.slice(0, Math.min(1, room)).map(plain);
  const columns = [...equality.map(plain), ...(order.length > 0 ? order : range)];
  const rareNull = isNull.find(column => (facts.columns.get(column)?.nulls ?? 1) <= RARELY);
  const chosen =
    columns.length > 0
      ? { columns, isNull }
      : rareNull === undefined
        ? undefined
        : { columns: [plain(rareNull)], isNull: [rareNull] };
  return chosen && !isThere(chosen, equality.length, facts.indexes) ? chosen : undefined;
}

/** The most selective first, and how many rows are left after them. */
function selective(
  wanted: readonly string[],
  { columns: known }: ChoiceFacts,
  rows: number,
): { readonly columns: readonly string[]; readonly left: number } {
  const distinct = (column: string): number => known.get(column)?.distinct ?? Number.MAX_VALUE;
  const columns: string[] = [];
  let left = rows;
  // Stable: those that are not known keep the order of the plan.
  for (const column of wanted.toSorted((one, other) => Math.sign(distinct(other) - distinct(one)))) {
    if (columns.length === MOST_COLUMNS || left < FEW_ROWS || 1 / distinct(column) > KEEPS_MOST) {
      break;
    }
    columns.push(column);
    left = known.has(column) ? left / distinct(column) : left;
  }
  return { columns, left };
}

function plain(column: string): IndexColumn {
  return { column, order: undefined };
}

/** An index is read forwards or backwards: one direction for all needs no word. */
function ordered(sort: WantedIndex['sort']): readonly IndexColumn[] {
  const oneWay =
    sort.every(({ descending, nullsFirst }) => !descending && !nullsFirst) ||
    sort.every(({ descending, nullsFirst }) => descending && nullsFirst);
  return sort.map(({ column, descending, nullsFirst }) => ({
    column,
    order: oneWay ? undefined : { descending, nullsFirst },
  }));
}

/** Whether an index begins with the columns; those of equalities (the first so many) in any order. */
function isThere({ columns, isNull }: ChosenIndex, equalities: number, indexes: readonly IndexFacts[]): boolean {
  const names = columns.map(({ column }) => column);
  const mixed = columns.some(({ order }) => order !== undefined);
  return indexes.some(index => {
    const first = index.columns.slice(0, equalities);
    return (
      index.usable &&
      !mixed &&
      (index.predicate === undefined || isPredicate(index.predicate, isNull)) &&
      names.slice(0, equalities).every(name => first.includes(name)) &&
      names.slice(equalities).every((name, place) => index.columns[equalities + place] === name)
    );
  });
}

/** `(deleted_at IS NULL)`. */
function isPredicate(predicate: string, isNull: readonly string[]): boolean {
  return isNull.some(column => predicate === `(${column} IS NULL)` || predicate === `("${column}" IS NULL)`);
}
