import type { EntityModel, Model } from '../model.ts';
import { quoted } from '../plans/rules/words.ts';
import type { InventoryIndex } from './index-inventory.ts';

/** How an index is dropped: where the entity has it, and the SQL. */
export function dropFix(index: Pick<InventoryIndex, 'schema' | 'table' | 'name' | 'columns'>, model: Model): string {
  const entity = model.byTable(index.table);
  const name = `${index.schema === 'public' ? '' : `${quoted(index.schema)}.`}${quoted(index.name)}`;
  return [...(entity ? [place(entity, index)] : []), `drop index concurrently ${name};`].join('\n');
}

function place(entity: EntityModel, { name, columns }: Pick<InventoryIndex, 'name' | 'columns'>): string {
  const declared = entity.indexes.some(
    each => each.name === name || (each.name === undefined && isSame(each.columns, columns)),
  );
  if (!declared) {
    return `// ${entity.name} does not declare it: a migration drops it`;
  }
  const properties = columns.map(column => (column === undefined ? '(expression)' : entity.properties.get(column)));
  return `// remove it from ${entity.name}: index of ${[...new Set(properties)].join(', ')}`;
}

function isSame(one: readonly string[], other: readonly (string | undefined)[]): boolean {
  return one.length === other.length && one.every((column, place) => column === other[place]);
}
