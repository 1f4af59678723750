import { type Moving, movingOf } from './moving.ts';
import { findParent, type Parent } from './parent-search.ts';
import type { Group, Repeats } from './repeats.ts';
import { isFannedOut, type ScopeView } from './scope-view.ts';

/** Queries one by one that one query could have been. */
export interface NPlusOne {
  readonly repeats: Repeats;
  readonly group: Group;
  readonly count: number;
  /** In µs. */
  readonly cost: number;
  readonly moving: Moving | undefined;
  readonly parent: Parent | undefined;
}

/**
 * Whether the reads of a group, which is no paged loop, are an N+1: at least `threshold` with different values, each for one row
 * or by a column that refers to another table, none for many at once, and not each of a fork of its own.
 *
 * Where no query of the scope led to them (neither by its values nor by a relation), where they do not go by a reference, or
 * where nobody knows whether they come from one place, it takes twice as many: a few look-ups of constants are no loop over
 * rows.
 *
 * @param most parents that are looked at, the latest first
 */
export function nPlusOne(view: ScopeView, repeats: Repeats, group: Group, most: number): NPlusOne | undefined {
  const {
    settings: { threshold },
    facts,
    shapes,
  } = view;
  if (group.distinct < threshold || isAboutTheDatabase(repeats)) {
    return undefined;
  }
  const moving = movingOf(group.hits, repeats.placeholders);
  const keys = moving?.keys ?? [];
  const isReference = keys.some(
    ({ table, column }) => table !== undefined && column !== undefined && facts.isReference(table, column),
  );
  if (isFannedOut(view, group, group.mostRows <= 1 && !isReference)) {
    return undefined;
  }
  const parent = findParent(facts, shapes, repeats, group, keys, most);
  const isProved = parent?.isProved === true;
  if (!isProved && !isReference && group.mostRows > 1) {
    return undefined;
  }
  const isSure = isProved || (group.site !== undefined && (isReference || parent?.link !== undefined));
  const without = parent?.withoutFirst === true ? 1 : 0;
  return group.distinct - without < (isSure ? threshold : threshold * 2)
    ? undefined
    : {
        repeats,
        group,
        count: group.count - without,
        cost: group.took * (1 - without / group.count),
        moving,
        parent,
      };
}

/** Migrations and schema tools ask for each table what it is like. */
function isAboutTheDatabase({ shape: { tables, text } }: Repeats): boolean {
  return tables.every(table => table.startsWith('pg_')) || text.includes('information_schema.');
}
