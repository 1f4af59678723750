import type { EntityManager, EntityProperty } from '@mikro-orm/core';
import type { Seam } from './seam.ts';
import { canTieConditions, isFlatCondition, ownerCondition } from './seam/condition.ts';
import type { AnyCollection, Entity, LoadOptions } from './seam/entity.ts';
import { type KeeperOf, isReadonly, refilling } from './seam/refilling.ts';
import { collectionSchema, relationOf } from './seam/relation.ts';

/** A collection and the condition on its items, `undefined` for all of them. */
export interface ConditionedCollection {
  readonly collection: AnyCollection;
  readonly owner: Entity;
  readonly where: unknown;
  readonly whereKey: string;
}

/** One call of `collection.load()`. */
export interface CollectionCall extends ConditionedCollection {
  /** Load even if the collection is initialised when the statement is sent. */
  readonly force: boolean;
}

/** What the calls of one statement have in common. */
export interface CollectionShape {
  /** Options of the load, among them those of the first call that have no part here (`where`). */
  readonly options: LoadOptions;
  readonly order: readonly object[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  /** Whether there is a limit or an offset. */
  readonly limited: boolean;
}

/** `limit` is what makes MikroORM number the rows of each owner; an offset alone needs one that is never reached. */
export const NO_LIMIT: number = 2 ** 31 - 1;

/**
 * Loads collections in one `em.populate()` of their owners, as `collection.init()` does for one owner.
 *
 * @param calls of one shape, each on another owner
 * @param keeperOf what takes a collection's items in its place, if something does
 * @returns the items that were loaded
 */
export async function loadCollections(
  seam: Seam,
  em: EntityManager,
  calls: readonly CollectionCall[],
  { options, order, limit, offset, limited }: CollectionShape,
  keeperOf: KeeperOf,
): Promise<number> {
  const { collection } = calls[0]!;
  const name = relationOf(collection).name;
  const hints = Array.isArray(options['populate'])
    ? options['populate'].map((hint: unknown) => (hint === '*' ? hint : `${name}.${String(hint)}`))
    : [`${name}${options['ref'] ? ':ref' : ''}`];
  const { limit: _limit, offset: _offset, ...rest } = options;
  const collections = calls.map(call => call.collection);
  const forced = calls.filter(call => call.force && call.collection.isInitialized() && !call.collection.isDirty());
  const owners = calls.map(call => call.owner);
  await refilling(
    forced.map(call => call.collection),
    collections.filter(one => limited || isReadonly(one) || keeperOf(one) !== undefined),
    () => seam.isRunningFor(em),
    keeperOf,
    () =>
      seam.populateAll(em, owners, hints, {
        refresh: true,
        ...rest,
        schema: collectionSchema(collection),
        where: { [name]: conditionFor(em, calls) },
        // An empty order would count as one, and take the place of a `fixedOrder`.
        ...(order.length === 0 ? {} : { orderBy: { [name]: order } }),
        ...(limited
          ? { populateHints: withLimit(options['populateHints'], name, limit ?? NO_LIMIT, offset ?? 0) }
          : {}),
      }),
  );
  let items = 0;
  for (const one of collections) {
    items += one.isInitialized() ? one.count() : 0;
  }
  return items;
}

/** Whether a condition can share a statement with other conditions of this relation. */
export function canStandTogether(relation: EntityProperty, where: unknown): boolean {
  return canTieConditions(relation) && whereKind(where) === 'some' && isFlatCondition(where, relation.targetMeta!);
}

/** MikroORM takes a collection for partial if its condition has a property; `raw()` as the only key is a symbol. */
export function whereKind(where: unknown): 'all' | 'raw' | 'some' {
  return where === undefined ? 'all' : Object.keys(where as object).length === 0 ? 'raw' : 'some';
}

/** The condition that all calls gave; or each one's, tied to the owners that it was given for. */
export function conditionFor(em: EntityManager, calls: readonly ConditionedCollection[]): unknown {
  const { collection, where, whereKey } = calls[0]!;
  if (calls.every(call => call.whereKey === whereKey)) {
    // MikroORM's populate takes a `$not` at the top for an operator on the primary key; inside `$and` it is what it says.
    return where !== undefined && Object.hasOwn(where as object, '$not') ? { $and: [where] } : where;
  }
  const relation = relationOf(collection);
  const groups = Map.groupBy(calls, call => call.whereKey);
  return {
    $or: [...groups.values()].map(group => ({
      $and: [
        ownerCondition(
          em,
          relation,
          group.map(call => call.owner),
        ),
        group[0]!.where,
      ],
    })),
  };
}

function withLimit(hints: unknown, name: string, limit: number, offset: number): object {
  const given = hints as Record<string, object> | undefined;
  return { ...given, [name]: { ...given?.[name], limit, offset } };
}
