import { readEqualities } from './conditions.ts';
import { readExpression } from './expressions.ts';
import { CLAUSES } from './keywords.ts';
import type { Reading, Use } from './reading.ts';
import type { Relation } from './relations.ts';

/** What stands in a FROM, or the target of a write, as the WHERE of its level sees it. */
export interface Item {
  /** What its columns are qualified with; `undefined` if they cannot be. */
  readonly qualifier: string | undefined;
  readonly schema?: string | undefined;
  /** `undefined` for what is no table. */
  readonly use: Use | undefined;
}

/** The item that a relation with its alias is. */
export function itemOf(
  relation: Relation,
  alias: { name: string | undefined; columns: boolean },
  use: Use | undefined,
): Item {
  // `t as a (x, y)` gives the columns other names.
  const known = alias.columns ? undefined : use;
  return alias.name === undefined
    ? { qualifier: relation.name, schema: relation.schema, use: known }
    : { qualifier: alias.name, use: known };
}

/** Reads a condition, and notes at the items what it says of all their rows; @returns where it ends. */
export function readWhere(reading: Reading, from: number, to: number, items: readonly Item[]): number {
  const end = readExpression(reading, from, to, CLAUSES);
  if (items.some(item => item.use !== undefined)) {
    for (const { path, values } of readEqualities(reading.sql, from, end)) {
      const item = itemNamed(reading, path, items);
      if (item?.use) {
        item.use.equals.push({ column: path.at(-1)!, values });
      }
    }
  }
  return end;
}

function itemNamed(reading: Reading, path: readonly string[], items: readonly Item[]): Item | undefined {
  if (path.length === 1) {
    // In a sub-select a column that its table does not have is one of the query around it.
    return items.length === 1 && !reading.correlated ? items[0] : undefined;
  }
  const table = path.at(-2)!;
  const found = items.filter(({ qualifier }) => qualifier === table);
  if (found.length !== 1 || (path.length === 3 && found[0]!.schema !== path[0])) {
    return undefined;
  }
  return found[0];
}
