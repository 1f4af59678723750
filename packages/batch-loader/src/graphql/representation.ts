import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { BatchLoaderError } from '../errors.ts';
import { isToOne } from './wanted.ts';
import { propertyOf } from './plan.ts';

/** The primary key of an entity and its unique keys, as names of properties; the primary first. */
export function keysOf(meta: EntityMetadata): string[][] {
  const single = meta.props.filter(property => property.unique).map(property => [property.name as string]);
  const several = meta.uniques
    // One with a condition, or made of an expression, does not tell a row from all others.
    .filter(unique => unique.where === undefined && unique.expression === undefined && unique.properties !== undefined)
    .map(unique => [unique.properties!].flat() as string[]);
  return [[...meta.primaryKeys], ...single, ...several];
}

/**
 * The condition that a federated representation stands for. It comes from outside, so that nothing is taken from it but plain
 * values of the properties of one key; what else it holds (of `@requires`, say) is passed over.
 *
 * @param properties names of properties by those of fields, where they differ
 * @throws {BatchLoaderError} `ARGUMENT` if it has no key, or a value that is none: an operator, a list, a null
 */
export function conditionOf(
  meta: EntityMetadata,
  representation: unknown,
  properties: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  const given = new Map<string, unknown>();
  if (typeof representation === 'object' && representation !== null) {
    for (const [field, value] of Object.entries(representation)) {
      given.set(Object.hasOwn(properties, field) ? properties[field]! : field, value);
    }
  }
  const keys = keysOf(meta);
  const key = keys.find(names => names.every(name => given.has(name)));
  if (key === undefined) {
    const known = keys.map(names => names.join(' ')).join("', '");
    const names = [...given.keys()].filter(name => name !== '__typename').join(' ');
    throw new BatchLoaderError(
      'ARGUMENT',
      `A representation of ${meta.className} must have the fields of one of its keys ('${known}'), but got: '${names}'. Name a key in @key(fields: …), and its fields in the query.`,
    );
  }
  return Object.fromEntries(key.map(name => [name, valueOf(meta, propertyOf(meta, name)!, given.get(name))]));
}

function valueOf(meta: EntityMetadata, property: EntityProperty, value: unknown): unknown {
  if (isToOne(property) && property.targetMeta && typeof value === 'object' && value !== null) {
    // `@key(fields: "book { id } number")`
    const inner = conditionOf(property.targetMeta, value);
    const names = property.targetKey ? [property.targetKey] : property.targetMeta.primaryKeys;
    if (names.every(name => Object.hasOwn(inner, name))) {
      return names.length === 1 ? inner[names[0]!] : inner;
    }
    throw refused(meta, property, value);
  }
  const column = columnOf(property);
  const converted = column && isScalar(value) ? convert(column, value) : undefined;
  if (converted === undefined) {
    throw refused(meta, property, value);
  }
  return converted;
}

/** The property whose values a key is made of: that of the target for a foreign key. `undefined` if they are several. */
function columnOf(property: EntityProperty): EntityProperty | undefined {
  if (property.kind === ReferenceKind.SCALAR) {
    return property;
  }
  const target = property.targetMeta;
  const names = property.targetKey ? [property.targetKey] : (target?.primaryKeys ?? []);
  return target && names.length === 1 && isToOne(property) ? columnOf(propertyOf(target, names[0]!)!) : undefined;
}

type Scalar = string | number | boolean | bigint;

function isScalar(value: unknown): value is Scalar {
  return ['string', 'boolean', 'bigint'].includes(typeof value) || Number.isFinite(value);
}

const UUID = /^[\da-f]{8}(?:-?[\da-f]{4}){3}-?[\da-f]{12}$/i;

/**
 * An `ID` is a string, whatever the column is. What PostgreSQL could not read would fail the statement, which is that of
 * others as well.
 *
 * @returns `undefined` if it is no value of the column
 */
function convert(property: EntityProperty, value: Scalar): unknown {
  const text = String(value);
  if (text.includes('\0')) {
    return undefined;
  }
  switch (property.runtimeType) {
    case 'number':
      return typeof value !== 'boolean' && /^-?\d+(?:\.\d+)?$/.test(text) && Number.isFinite(Number(text))
        ? Number(text)
        : undefined;
    case 'bigint':
      return typeof value !== 'boolean' && /^-?\d+$/.test(text) ? BigInt(text) : undefined;
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : undefined;
    case 'Date':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? new Date(value) : undefined;
    default:
      return property.columnTypes[0] === 'uuid' && !UUID.test(text) ? undefined : text;
  }
}

function refused(meta: EntityMetadata, property: EntityProperty, value: unknown): BatchLoaderError {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
  return new BatchLoaderError(
    'ARGUMENT',
    `A representation of ${meta.className} must hold a plain ${property.runtimeType ?? 'value'} as ${property.name}, but got: ${kind}. Operators and conditions are no keys.`,
  );
}
