import { type EntityProperty, QueryHelper, ReferenceKind } from '@mikro-orm/core';
import { type AnyCollection, schemaOf } from './entity.ts';

/** The relation that a collection belongs to. */
export function relationOf(collection: AnyCollection): EntityProperty {
  return collection.property as unknown as EntityProperty;
}

/** `loadItems()` reads a 1:M from what the loader returns, an M:N from the collection itself. */
export function isOneToMany(relation: EntityProperty): boolean {
  return relation.kind === ReferenceKind.ONE_TO_MANY;
}

/** Filters of a collection load: the call's over the relation's own. */
export function filtersOf(collection: AnyCollection, filters: unknown): unknown {
  return QueryHelper.mergePropertyFilters(relationOf(collection).filters, filters as never);
}

/** Ordering of a collection load: the call's, the relation's, the target's, and with a limit its key to break ties. */
export function orderOf(relation: EntityProperty, orderBy: unknown, tieBreak: boolean): object[] {
  const target = relation.targetMeta!;
  // The order of an M:N that has one of its own is told by its pivot rows, as long as nobody asks for another.
  const fixed = relation.fixedOrder === true && QueryHelper.mergeOrderBy(orderBy as object).length === 0;
  return QueryHelper.mergeOrderBy(
    orderBy as object,
    relation.orderBy as object,
    target.orderBy as object,
    ...(tieBreak && !fixed ? target.primaryKeys.map(key => ({ [key]: 'asc' })) : []),
  ) as object[];
}

/** Schema of a collection load: that of the owner where the target lives in the schema of its owner (`schema: '*'`). */
export function collectionSchema(collection: AnyCollection): string | undefined {
  return relationOf(collection).targetMeta!.schema === '*' ? schemaOf(collection.owner) : undefined;
}

/** Replaced each time the collection is filled or written. */
export function snapshotOf(collection: AnyCollection): unknown {
  return collection.getSnapshot();
}
