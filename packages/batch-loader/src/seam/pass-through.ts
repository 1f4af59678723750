import {
  BigIntType,
  type EntityMetadata,
  type EntityProperty,
  ReferenceKind,
  Type,
  Utils,
  UuidType,
} from '@mikro-orm/core';

interface Properties {
  readonly properties: Record<string, EntityProperty>;
}

/** Operators that speak of entities; all others compare a property with a value. */
const STRUCTURAL = new Set(['$and', '$or', '$not', '$some', '$none', '$every']);

/**
 * Whether MikroORM sends the values of a condition as they are (a bigint: as text), whatever they are. It does for
 * properties without a type that converts; one that does may make anything of a value.
 */
export function passesThrough(where: unknown, meta: EntityMetadata): boolean {
  return isPlain(where) ? objectPasses(where, meta) : primaryKeyPasses(meta);
}

function objectPasses(where: object, meta: Properties): boolean {
  return Reflect.ownKeys(where).every(name => {
    const value = (where as Record<string | symbol, unknown>)[name];
    if (typeof name === 'symbol') {
      return value === null || (Array.isArray(value) && value.length === 0);
    }
    if (STRUCTURAL.has(name)) {
      return (Array.isArray(value) ? value : [value]).every(part => isPlain(part) && objectPasses(part, meta));
    }
    const property = meta.properties[name];
    return property !== undefined && valuePasses(value, property);
  });
}

function valuePasses(value: unknown, property: EntityProperty): boolean {
  if (isPlain(value) && !isComparison(value)) {
    if (property.kind === ReferenceKind.EMBEDDED) {
      return !property.object && objectPasses(value, { properties: property.embeddedProps });
    }
    return property.targetMeta !== undefined && !property.polymorphic && objectPasses(value, property.targetMeta);
  }
  if (property.kind === ReferenceKind.SCALAR) {
    return property.formula === undefined && typePasses(property);
  }
  return (
    property.targetMeta !== undefined &&
    !property.polymorphic &&
    property.targetKey === undefined &&
    property.kind !== ReferenceKind.EMBEDDED &&
    primaryKeyPasses(property.targetMeta)
  );
}

function primaryKeyPasses(meta: EntityMetadata): boolean {
  const keys = meta.getPrimaryProps();
  return keys.length === 1 && (keys[0]!.targetMeta ? primaryKeyPasses(keys[0]!.targetMeta) : typePasses(keys[0]!));
}

function typePasses(property: EntityProperty): boolean {
  const customType = property.customType as Type<unknown> | undefined;
  return (
    customType === undefined ||
    customType.constructor === BigIntType ||
    customType.constructor === UuidType ||
    (customType.convertToDatabaseValue === Type.prototype.convertToDatabaseValue &&
      customType.convertToDatabaseValueSQL === undefined)
  );
}

function isComparison(value: object): boolean {
  const names = Reflect.ownKeys(value);
  return (
    names.length > 0 && names.every(name => typeof name === 'string' && name.startsWith('$') && !STRUCTURAL.has(name))
  );
}

function isPlain(value: unknown): value is object {
  return Utils.isPlainObject(value);
}
