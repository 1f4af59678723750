import type { RelationModel } from '../model.ts';
import { isMadeUp, type ModelTables } from './model-tables.ts';

/**
 * The relation of an entity of the first table that two columns are joined by.
 *
 * @param throughPairs whether the second table may be the relation's table of pairs
 */
export function relationOn(
  facts: ModelTables,
  table: string,
  column: string,
  otherTable: string,
  otherColumn: string,
  throughPairs = true,
): RelationModel | undefined {
  for (const entity of facts.entitiesOf(table)) {
    if (isMadeUp(entity)) {
      continue;
    }
    const { relations, primaryKey } = entity;
    for (const relation of relations) {
      const { kind, owner, columns, referenced, pivotTable } = relation;
      const target = facts.model.byName(relation.target)?.table;
      const keys = referenced.length > 0 ? referenced : primaryKey;
      const isIt =
        kind === 'm:n'
          ? throughPairs && pivotTable === otherTable && columns.includes(otherColumn)
          : kind === 'm:1' || owner
            ? target === otherTable && pairs(columns, column, referenced, otherColumn)
            : target === otherTable && pairs(keys, column, columns, otherColumn);
      if (isIt) {
        return relation;
      }
    }
  }
  return undefined;
}

/** Whether the two stand at the same place of their lists: keys of several columns are compared one by one. */
function pairs(left: readonly string[], one: string, right: readonly string[], other: string): boolean {
  return left.some((column, index) => column === one && right[index] === other);
}
