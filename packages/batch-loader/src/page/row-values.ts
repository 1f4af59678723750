import { type EntityProperty, type Platform, Reference, Type, Utils, helper } from '@mikro-orm/core';
import { checkedValues } from './cursor-text.ts';
import type { KeysetValues } from './keyset.ts';
import type { OrderTerm } from './order-terms.ts';
import { cursorError } from './page-error.ts';

/**
 * The values of an entity, or of an object with the properties of the order, as a cursor holds them.
 *
 * @throws {BatchLoaderError} `CURSOR` if one is missing, or is none of its column
 */
export function valuesOf(terms: readonly OrderTerm[], source: object, platform: Platform): KeysetValues {
  const values: (string | null)[] = [];
  for (const term of terms) {
    const value = propertyValue(source, term);
    if (value === undefined) {
      if (!term.given && !Utils.isEntity(source)) {
        // An object without the key: after the last of the rows that are equal to it.
        return values;
      }
      throw cursorError(`of an entity or object without ${term.path.join('.')}: it has to be loaded, or given`);
    }
    values.push(value === null ? null : written(term, databaseValue(term.property, value, platform)));
  }
  return values;
}

/**
 * The values of a cursor that MikroORM made: JSON of the properties' values, nested as the order is.
 *
 * @throws {BatchLoaderError} `CURSOR`
 */
export function foreignValues(
  terms: readonly OrderTerm[],
  values: readonly unknown[],
  platform: Platform,
): KeysetValues {
  const given = terms.filter(term => term.given);
  // One value per outermost property, with an object for what is nested. Those after the whole key are not needed.
  if (given.length === 0 || values.length <= given.at(-1)!.group) {
    throw cursorError('of another entity or orderBy');
  }
  const flat = given.map(({ path, group }) => {
    let value = values[group];
    for (const name of path.slice(1)) {
      if (value === null) {
        break;
      }
      if (typeof value !== 'object' || !Object.hasOwn(value, name)) {
        throw cursorError('of another entity or orderBy');
      }
      value = (value as Record<string, unknown>)[name];
    }
    return value;
  });
  return checkedValues(
    flat.map((value, index) => {
      if (value === null) {
        return null;
      }
      if (typeof value === 'object') {
        throw cursorError(`whose value number ${index + 1} is not one of its column`);
      }
      const { property } = given[index]!;
      return written(given[index]!, databaseValue(property, restored(property, value, platform), platform));
    }),
    terms,
  );
}

function written(term: OrderTerm, value: unknown): string {
  const text = term.text.write(value);
  if (text === undefined) {
    throw cursorError(`whose value of ${term.path.join('.')} is none that its column can be compared with`);
  }
  return text;
}

/** `undefined` if it is not loaded, `null` if it or anything on the way is null. */
function propertyValue(source: object, { path, property }: OrderTerm): unknown {
  let value: unknown = source;
  for (const name of path) {
    const owner = value as Record<string, unknown>;
    value = Reference.unwrapReference(owner[name] as object);
    if (Utils.isScalarReference(value)) {
      value = value.unwrap();
    }
    // With `forceUndefined` MikroORM has undefined for null.
    if (value === undefined && Utils.isEntity(owner) && isLoaded(owner, name)) {
      value = null;
    }
    if (value === null || value === undefined) {
      return value;
    }
  }
  // Of a relation, the key; which may be a relation itself.
  while (Utils.isEntity<object>(value, true)) {
    value = helper(value).getPrimaryKey();
  }
  return Utils.isPlainObject(value) ? (value as Record<string, unknown>)[property.name] : value;
}

function isLoaded(entity: object, name: string): boolean {
  const wrapped = helper(entity);
  return wrapped.isInitialized() && wrapped.__loadedProperties.has(name);
}

/** What MikroORM would send; or, if it reads the column's values as they are, the value itself. */
function databaseValue({ customType, name }: EntityProperty, value: unknown, platform: Platform): unknown {
  if (!customType || customType.convertToJSValue === Type.prototype.convertToJSValue) {
    return value;
  }
  return attempt(() =>
    customType.convertToDatabaseValue(value, platform, { fromQuery: true, key: name, mode: 'query' }),
  );
}

function restored({ customType, runtimeType }: EntityProperty, value: unknown, platform: Platform): unknown {
  if (customType) {
    return attempt(() =>
      customType.fromJSON ? customType.fromJSON(value, platform) : customType.convertToJSValue(value, platform),
    );
  }
  return runtimeType === 'Date' && typeof value === 'string' ? new Date(value) : value;
}

/** Types may throw whatever they like at what a client made up. */
function attempt(convert: () => unknown): unknown {
  try {
    return convert();
  } catch (error) {
    throw cursorError('with a value that its type refuses', error);
  }
}
