import { type Collection, type EntityProperty, Reference, Utils, wrap } from '@mikro-orm/core';

/** What a call gave, as plain data that two forks can be compared by. */
export type View = unknown;

type AnyEntity = Record<string, unknown> & object;

export interface Shown {
  /** Only these properties; a partial load makes no promise about others. */
  readonly fields?: readonly string[] | undefined;
  /** Relations that were asked for, and are to be shown as entities. */
  readonly populate?: readonly string[] | undefined;
  readonly nested?: boolean;
}

/** Root class and key: a reference may be of the root class until its row has told the subclass. */
export function pkOf(entity: object): string {
  const helper = wrap(entity, true);
  return `${helper.__meta.root.className}:${helper.getSerializedPrimaryKey()}`;
}

/** An entity: class, key, columns, and the keys of what it refers to; `null` as it is. */
export function viewEntity(entity: AnyEntity | null | undefined, shown: Shown): View {
  if (entity == null) {
    return entity;
  }
  const helper = wrap(entity, true);
  const properties: Record<string, View> = {};
  for (const property of helper.__meta.props as EntityProperty[]) {
    const name = property.name;
    if (
      property.kind === '1:m' ||
      property.kind === 'm:n' ||
      property.lazy ||
      (shown.fields && !shown.fields.includes(name) && !property.primary)
    ) {
      continue;
    }
    // A populated entity's inverse 1:1 is known when it was loaded before, alone it is not.
    if (shown.nested && property.kind === '1:1' && !property.owner) {
      continue;
    }
    if (property.name.includes('~') || (property.embedded && !property.object)) {
      continue;
    }
    const value = entity[name];
    if (property.targetKey !== undefined && !shown.populate?.includes(name)) {
      // Its primary key is known if something else has loaded it.
      const target = Reference.unwrapReference(value as AnyEntity) as AnyEntity | null;
      properties[name] =
        target && `${property.targetMeta!.className}.${property.targetKey}:${String(target[property.targetKey])}`;
      continue;
    }
    properties[name] = shown.populate?.includes(name)
      ? viewEntity(Reference.unwrapReference(value as AnyEntity) as AnyEntity, { nested: true })
      : viewValue(value);
  }
  return { class: entity.constructor.name, initialized: helper.__initialized, properties };
}

function viewValue(value: unknown): View {
  if (value instanceof Date) {
    return value.toISOString();
  }
  if (value != null && typeof value === 'object') {
    if (Reference.isReference(value) || Utils.isEntity(value, true)) {
      return pkOf(Reference.unwrapReference(value as never) as object);
    }
    return JSON.parse(JSON.stringify(value)) as View;
  }
  return typeof value === 'bigint' ? `${value}n` : value;
}

export interface ShownCollection extends Shown {
  /** Whether the order was asked for; without, PostgreSQL promises none. */
  readonly ordered: boolean;
  readonly flags: boolean;
}

/** A collection and its items as its caller finds them. */
export function viewCollection(
  collection: Collection<AnyEntity>,
  items: readonly AnyEntity[],
  shown: ShownCollection,
): View {
  const views = items.map(item => ({ key: pkOf(item), item: viewEntity(item, shown) }));
  if (!shown.ordered) {
    views.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }
  return {
    items: views,
    ...(shown.flags && {
      initialized: collection.isInitialized(),
      fully: collection.isInitialized(true),
      partial: collection.isPartial(),
      dirty: collection.isDirty(),
    }),
  };
}
