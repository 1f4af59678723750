import {
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  Raw,
  ReferenceKind,
  Utils,
  helper,
} from '@mikro-orm/core';
import type { RawLike } from '../batch-key.ts';
import type { Entity } from './entity.ts';

/** MikroORM's `raw()` fragment behind a value or a symbol key, for {@link createKeyOf}. */
export function rawFragment(candidate: unknown): RawLike | undefined {
  return Raw.getKnownFragment(candidate as symbol) as RawLike | undefined;
}

/**
 * `where` for these entities, by primary key.
 *
 * Numbers and uuids go into one parameter, an array (`id = any('{1,2,3}')`); MikroORM's `in (1, 2, 3)` builds, converts and
 * quotes each value on its own, which for a large batch costs more than reading the rows. Other keys take that way.
 */
export function primaryKeyCondition(meta: EntityMetadata, entities: readonly Entity[]): object {
  const keys = entities.map(entity => Utils.getPrimaryKeyValues(entity, meta as never, true) as unknown);
  const name = Utils.getPrimaryKeyHash(meta.primaryKeys);
  if (keys.length > 1 && !meta.compositePK) {
    if (keys.every(isInteger)) {
      // Of the widest type: an integer column compares with it by its index, and no key is out of its range.
      return { [name]: new Raw('any(?::bigint[])', [`{${keys.join(',')}}`]) };
    }
    if (keys.every(isUuid)) {
      return { [name]: new Raw('any(?)', [`{${keys.join(',')}}`]) };
    }
  }
  return { [name]: { $in: keys } };
}

function isInteger(key: unknown): boolean {
  return Number.isSafeInteger(key) || (typeof key === 'bigint' && BigInt.asIntN(64, key) === key);
}

// Nothing but hex digits and dashes gets into the array literal as it is.
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function isUuid(key: unknown): boolean {
  return typeof key === 'string' && UUID.test(key);
}

/**
 * Whether conditions on the relation's target can stand side by side in one statement: they speak of the target's own
 * columns only. One that reaches into another relation brings a join, and joins of two conditions multiply their rows.
 */
export function isFlatCondition(where: unknown, target: EntityMetadata): boolean {
  if (!Utils.isPlainObject(where)) {
    return false;
  }
  return Reflect.ownKeys(where).every(key => {
    const value = (where as Record<string | symbol, unknown>)[key];
    if (typeof key === 'symbol') {
      return Raw.isKnownFragmentSymbol(key);
    }
    if (key === '$and' || key === '$or') {
      return Array.isArray(value) && value.every(condition => isFlatCondition(condition, target));
    }
    const property = (target.properties as Record<string, EntityProperty>)[key];
    if (property?.fieldNames?.length !== 1 || property.formula) {
      return false;
    }
    const isKey = property.kind === ReferenceKind.MANY_TO_ONE && !property.polymorphic;
    return property.kind === ReferenceKind.SCALAR || (isKey && isKeyCondition(value));
  });
}

/** Whether a to-one relation is compared with keys, that is by its own column. */
function isKeyCondition(value: unknown): boolean {
  if (Array.isArray(value)) {
    return value.every(item => item === null || typeof item !== 'object');
  }
  return Utils.isPlainObject(value)
    ? Object.entries(value).every(([key, operand]) => Utils.isOperator(key) && isKeyCondition(operand))
    : value === null || typeof value !== 'object';
}

/** Whether `isFlatCondition` conditions can be tied to their owners in one statement of this relation. */
export function canTieConditions(relation: EntityProperty): boolean {
  if (relation.kind === ReferenceKind.MANY_TO_MANY) {
    return !relation.polymorphic && relation.pivotEntity !== undefined;
  }
  return !(relation.targetMeta!.properties[relation.mappedBy as never] as EntityProperty).polymorphic;
}

/** The condition, on the target of a relation, that a row belongs to one of these owners. */
export function ownerCondition(em: EntityManager, relation: EntityProperty, owners: readonly Entity[]): object {
  if (relation.kind === ReferenceKind.ONE_TO_MANY) {
    const owning = relation.targetMeta!.properties[relation.mappedBy as never] as EntityProperty;
    return { [relation.mappedBy]: { $in: owners.map(owner => helper(owner).getTargetKeyValue(owning.targetKey)) } };
  }
  // Not by the target's property, which would join the pivot table a second time: by the columns of the pivot row itself.
  const pivot = em.config.getNamingStrategy().aliasName(Utils.className(relation.pivotEntity as never), 0);
  const columns = relation.joinColumns.map(column => `${pivot}.${column}`);
  const keys = owners.map(owner => helper(owner).getPrimaryKeys(true) as readonly unknown[]);
  return columns.length === 1
    ? { [columns[0]!]: { $in: keys.map(key => key[0]) } }
    : { $or: keys.map(key => Object.fromEntries(columns.map((column, index) => [column, key[index]]))) };
}
