import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { familyOf } from './metadata.ts';
import { isToOne, type Wanted } from './wanted.ts';

/** Paths of properties, as MikroORM's options of these names take them. */
export interface Plan {
  readonly populate: string[];
  /** `undefined`: every column. */
  readonly fields: string[] | undefined;
}

/** A place of the result whose entities are read from their rows. */
interface Level {
  readonly meta: EntityMetadata;
  readonly wanted: Wanted;
  /** How populate and fields lead here; `''` or ending in a dot. */
  readonly prefix: string;
  /** Those that are populated. */
  readonly relations: Level[];
  /** Nothing may be said about the columns from here on. */
  readonly whole: boolean;
}

/** Columns of one class (with those that extend it), wherever it occurs. */
interface Columns {
  all: boolean;
  readonly names: Set<string>;
}

/**
 * Which relations to populate and which columns to read, so that everything that is wanted is there.
 *
 * An entity can be in several places of one result, and MikroORM (7.2) does not always add to an entity what a later row
 * knows more of it. So a class is read with the same columns in all places.
 */
export function planOf(meta: EntityMetadata, wanted: Wanted): Plan {
  const root = levelOf(meta, wanted, '');
  const columns = new Map<object, Columns>();
  collect(root, columns, root.whole);
  const populate = new Set<string>();
  const fields = new Set<string>();
  emit(root, columns, populate, fields);
  // Every column of the entity itself, and nothing said about others: no need to list them.
  const isFull = root.whole || (columnsAt(root, columns).all && ![...fields].some(path => path.includes('.')));
  return { populate: [...populate], fields: isFull ? undefined : [...fields] };
}

/** @param above root classes of the entities that lead here */
function levelOf(meta: EntityMetadata, wanted: Wanted, prefix: string, above: readonly object[] = []): Level {
  const relations: Level[] = [];
  let whole = losesItsClass(meta);
  for (const [name, below] of wanted.properties) {
    const property = propertyOf(meta, name);
    // Without metadata it belongs to a subclass with a table of its own, whose relations cannot be populated from here.
    if (property?.targetMeta === undefined || (isToOne(property) && isInKey(property, below))) {
      continue;
    }
    if (property.kind === ReferenceKind.ONE_TO_MANY && above.slice(0, -1).includes(meta.root.class)) {
      // MikroORM 7.2 would fill it with nothing where the entity is also one further up: left to its resolver.
      continue;
    }
    const path = `${prefix}${name}.`;
    if (property.polymorphic && property.polymorphTargets) {
      // MikroORM 7.2 looks for the fields of the owner in the tables of the targets, and cannot go on from there.
      whole = true;
      relations.push(...property.polymorphTargets.map(target => levelOf(target, nothingBelow, path)));
      continue;
    }
    const isEmbedded = property.kind === ReferenceKind.EMBEDDED;
    const level = levelOf(property.targetMeta, below, path, isEmbedded ? above : [...above, meta.root.class]);
    // The columns of an embeddable are those of its entity, and so is what they lead to.
    whole ||= isEmbedded && level.relations.length > 0;
    relations.push(level);
  }
  return { meta, wanted, prefix, relations, whole };
}

const nothingBelow: Wanted = { properties: new Map(), everyColumn: true, row: true };

function collect(level: Level, columns: Map<object, Columns>, isWhole: boolean): void {
  const { meta, wanted, relations } = level;
  const own = columnsAt(level, columns);
  own.all ||= isWhole || wanted.everyColumn;
  for (const name of wanted.properties.keys()) {
    own.names.add(name);
  }
  for (const below of relations) {
    const relation = relationTo(meta, below);
    if (relation.targetKey) {
      columnsAt(below, columns).names.add(relation.targetKey);
    }
    const inverse = inverseOf(relation, below.meta);
    if (inverse) {
      // Tells to whom a row belongs, by the key that it refers to.
      columnsAt(below, columns).names.add(inverse.name);
      if (inverse.targetKey) {
        own.names.add(inverse.targetKey);
      }
    }
    collect(below, columns, isWhole || below.whole);
  }
}

function emit(level: Level, columns: Map<object, Columns>, populate: Set<string>, fields: Set<string>): void {
  const { meta, prefix, relations, whole } = level;
  const { all, names } = columnsAt(level, columns);
  for (const below of relations.filter(({ meta: target }) => !target.embeddable)) {
    populate.add(below.prefix.slice(0, -1));
  }
  const own = meta.embeddable ? [] : [...meta.primaryKeys, ...(all ? columnsOf(meta) : []), ...names];
  for (const name of own) {
    const property = propertyOf(meta, name);
    if (property === undefined || isCollection(property)) {
      continue;
    }
    // An embeddable always whole: with a part of its columns MikroORM takes one of nulls for none.
    fields.add(prefix + name);
    if (property.lazy && property.targetMeta === undefined) {
      populate.add(prefix + name);
    }
  }
  for (const below of relations) {
    emit(below, columns, populate, below.whole || whole ? new Set() : fields);
  }
}

function columnsAt({ meta }: Level, columns: Map<object, Columns>): Columns {
  let found = columns.get(meta.root.class);
  if (found === undefined) {
    found = { all: false, names: new Set() };
    columns.set(meta.root.class, found);
  }
  return found;
}

/** The property that leads to a level. */
function relationTo(meta: EntityMetadata, { prefix }: Level): EntityProperty {
  return propertyOf(meta, prefix.slice(0, -1).split('.').at(-1)!)!;
}

/** The property of the related entity by which its rows refer back, if there is one. */
function inverseOf({ mappedBy, kind }: EntityProperty, target: EntityMetadata): EntityProperty | undefined {
  return mappedBy && kind !== ReferenceKind.MANY_TO_MANY ? propertyOf(target, mappedBy) : undefined;
}

/** The property of that name, if the entity has it. */
export function propertyOf(meta: EntityMetadata, name: string): EntityProperty | undefined {
  return (meta.properties as Record<string, EntityProperty>)[name];
}

/** Whether the foreign key says all that is wanted of the entity that it refers to. */
export function isInKey(property: EntityProperty, wanted: Wanted): boolean {
  if (wanted.everyColumn || wanted.row) {
    return false;
  }
  const target = property.targetMeta!;
  const keys: readonly string[] = property.targetKey ? [property.targetKey] : target.primaryKeys;
  return [...wanted.properties].every(([name, below]) => {
    const key = propertyOf(target, name);
    return key !== undefined && keys.includes(name) && (key.targetMeta === undefined || isInKey(key, below));
  });
}

/** With `fields`, MikroORM 7.2 makes entities of the root class of a table-per-type hierarchy. */
function losesItsClass(meta: EntityMetadata): boolean {
  return meta.root.inheritanceType === 'tpt' && familyOf(meta).length > 1;
}

/** To-many. */
export function isCollection({ kind }: EntityProperty): boolean {
  return kind === ReferenceKind.ONE_TO_MANY || kind === ReferenceKind.MANY_TO_MANY;
}

/** What a find without options reads: everything but lazy properties and collections. */
export function columnsOf(meta: EntityMetadata): string[] {
  return meta.props
    .filter(property => !property.lazy && property.embedded === undefined && !isCollection(property))
    .filter(property => property.persist !== false || property.formula !== undefined)
    .map(property => property.name);
}
