import type { EntityModel } from '../model.ts';
import { isMadeUp, type ModelTables } from './model-tables.ts';
import { relationOn } from './relations.ts';

/** How values of one column lead to rows that are found by another. */
export interface Link {
  /**
   * - `relation`: by a relation of the first entity, which can be populated;
   * - `through`: by two of them, as both refer to a third entity;
   * - `inverse`: by one that only the second entity knows;
   * - `same`: it is the same column, or one that identifies the same;
   * - `name`: no entity knows, but the columns are called so.
   */
  readonly kind: 'relation' | 'through' | 'inverse' | 'same' | 'name';
  /** Class name of the first entity, where there is one. */
  readonly entity: string | undefined;
  /** `relation`, `through`: what to populate on it: `author`, `author.books`. */
  readonly path: string | undefined;
  /** `inverse`, `same`: class name and property of the second entity by which all can be read at once. */
  readonly back: { readonly entity: string; readonly property: string } | undefined;
}

/**
 * Looks for the link between two columns in the mapped entities, then in their names.
 *
 * @returns `undefined` if nothing tells that their values mean the same
 */
export function linkOf(
  facts: ModelTables,
  table: string,
  column: string,
  otherTable: string,
  otherColumn: string,
): Link | undefined {
  const entity = facts.entitiesOf(table)[0];
  const relation = relationOn(facts, table, column, otherTable, otherColumn);
  if (relation !== undefined) {
    const owner = facts.entitiesOf(table).find(({ relations }) => relations.includes(relation));
    return { kind: 'relation', entity: owner?.name, path: relation.property, back: undefined };
  }
  if (facts.identity(table, column) === facts.identity(otherTable, otherColumn)) {
    const path = pathThroughOwner(facts, table, column, otherTable, otherColumn);
    if (path !== undefined) {
      return { kind: 'through', ...path, back: undefined };
    }
    const back = relationBack(facts, otherTable, otherColumn);
    return facts.isReference(otherTable, otherColumn) && !facts.isReference(table, column)
      ? { kind: 'inverse', entity: entity?.name, path: undefined, back }
      : { kind: 'same', entity: entity?.name, path: undefined, back };
  }
  return haveTheSameName(table, column, otherTable, otherColumn)
    ? { kind: 'name', entity: entity?.name, path: undefined, back: relationBack(facts, otherTable, otherColumn) }
    : undefined;
}

/** `book.author_id` and `review.author_id` both refer to an author, who may know its reviews: `author.reviews`. */
function pathThroughOwner(
  facts: ModelTables,
  table: string,
  column: string,
  otherTable: string,
  otherColumn: string,
): { entity: string; path: string } | undefined {
  for (const entity of facts.entitiesOf(table)) {
    const { name, relations } = entity;
    for (const { kind, owner, property, target, columns, referenced } of relations) {
      const key = referenced[columns.indexOf(column)];
      const middle = facts.model.byName(target);
      const isToOne = kind === 'm:1' || (kind === '1:1' && owner);
      if (isMadeUp(entity) || !isToOne || key === undefined || middle === undefined) {
        continue;
      }
      const next = relationOn(facts, middle.table, key, otherTable, otherColumn);
      if (next !== undefined) {
        return { entity: name, path: `${property}.${next.property}` };
      }
    }
  }
  return undefined;
}

/** The property of the entity that a column belongs to; of a table of pairs, the many-to-many relation of whoever has it. */
function relationBack(facts: ModelTables, table: string, column: string): Link['back'] {
  const [entity] = facts.entitiesOf(table);
  if (entity === undefined || isMadeUp(entity)) {
    return pivotBack(facts.model.entities, table, column);
  }
  const relation = entity.relations.find(
    ({ kind, owner, columns }) => (kind === 'm:1' || (kind === '1:1' && owner)) && columns.includes(column),
  );
  const property = relation?.property ?? entity.properties.get(column);
  return property === undefined ? undefined : { entity: entity.name, property };
}

function pivotBack(entities: readonly EntityModel[], table: string, column: string): Link['back'] {
  for (const { name, relations } of entities) {
    for (const { kind, pivotTable, inverseColumns, property } of relations) {
      if (kind === 'm:n' && pivotTable === table && inverseColumns.includes(column)) {
        return { entity: name, property };
      }
    }
  }
  return undefined;
}

/** `book.author_id` and `author.id`, `books.isbn` and `stock.isbn`, `"authorId"` and `authors.id`; never `id` and `id`. */
function haveTheSameName(table: string, column: string, otherTable: string, otherColumn: string): boolean {
  const names = namesOf(table, column);
  return namesOf(otherTable, otherColumn).some(name => names.includes(name));
}

function namesOf(table: string, column: string): readonly string[] {
  const plain = plainName(column);
  const full = plainName(table).replace(/s$/, '') + plain;
  return /^(?:id|uuid|key|code|name|type|kind|status|state)$/.test(plain) ? [full] : [full, plain];
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}
