import type { RelationModel } from '../model.ts';
import type { ModelFacts } from './model-facts.ts';

/** The relation of an entity of the first table that two columns are joined by; the second table may be its table of pairs. */
export function relationOn(
  facts: ModelFacts,
  table: string,
  column: string,
  otherTable: string,
  otherColumn: string,
): RelationModel | undefined {
  for (const { relations, primaryKey, pivot } of facts.entitiesOf(table)) {
    if (pivot) {
      continue;
    }
    for (const relation of relations) {
      const { kind, owner, columns, referenced, pivotTable } = relation;
      const target = facts.model.byName(relation.target)?.table;
      const keys = referenced.length > 0 ? referenced : primaryKey;
      const isIt =
        kind === 'm:n'
          ? pivotTable === otherTable && columns.includes(otherColumn)
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
