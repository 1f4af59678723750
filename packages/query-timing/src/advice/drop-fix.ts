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
  const properties = [
    ...new Set(columns.map(column => (column === undefined ? undefined : entity.properties.get(column)))),
  ];
  const declared = entity.indexes.find(
    each => each.name === name || (each.name === undefined && isSame(each.columns, columns)),
  );
  const relation = entity.relations.find(each => each.owner && isSame(each.columns, columns));
  if (relation && (!declared || declared.name === undefined)) {
    return `.index(false), @ManyToOne({ index: false })  // on ${entity.name}.${relation.property}`;
  }
  return declared
    ? `// remove it from ${entity.name}: ${properties.map(each => each ?? '(expression)').join(', ')}`
    : `// ${entity.name} does not declare it: a migration drops it`;
}

function isSame(one: readonly string[], other: readonly (string | undefined)[]): boolean {
  return one.length === other.length && one.every((column, place) => column === other[place]);
}
