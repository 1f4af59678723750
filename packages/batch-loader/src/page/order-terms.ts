import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { type ColumnText, columnText } from './column-text.ts';
import { argumentError } from './page-error.ts';

/** One column of an order. */
export interface OrderTerm {
  /** Property names from the entity on, as `orderBy` and `where` nest them. */
  readonly path: readonly string[];
  /** Name of the property if the column is the entity's own, so that it can be compared as part of a row. */
  readonly ownColumn: string | undefined;
  /** The property whose values the column has: of a to-one relation, the target's key. */
  readonly property: EntityProperty;
  readonly text: ColumnText;
  readonly descending: boolean;
  /** Whether the column can be null, be it that a relation on the way is. */
  readonly nullable: boolean;
  readonly nullsFirst: boolean;
  /** Asked for by the caller; the others are the key that breaks ties. */
  readonly given: boolean;
  /** Number of the outermost property in the caller's `orderBy` that it belongs to. */
  readonly group: number;
  /** What has to be populated for a row to have the value: the relation it is reached through, or a lazy property itself. */
  readonly populate: string | undefined;
}

interface Direction {
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

type Properties = Readonly<Record<string, EntityProperty>>;

/** Where a property was found. */
interface Place {
  readonly path: readonly string[];
  readonly properties: Properties;
  readonly className: string;
  /** Whether the columns are of the entity's own table. */
  readonly own: boolean;
  /** Relations gone through, each from the entity on. */
  readonly relations: readonly string[];
  readonly nullable: boolean;
}

/**
 * The columns of an order, in all of the forms that MikroORM's `orderBy` has, and the primary key after them: without ties
 * every row has one place. The key goes in the direction of the last column, so that one index serves both.
 *
 * @param orderBy the caller's, or that of the entity's definition
 * @throws {BatchLoaderError} `ARGUMENT` for an order that is not by columns, or by one whose values a cursor cannot hold
 */
export function orderTerms(
  meta: EntityMetadata,
  orderBy: unknown,
  microsecondsOf: (date: Date) => number,
): readonly OrderTerm[] {
  if (meta.primaryKeys.length === 0) {
    throw argumentError('page() takes an entity with a primary key', meta.className, 'Ties are broken by it');
  }
  const terms: OrderTerm[] = [];
  const seen = new Set<string>();
  let given = true;
  let group = -1;

  const addKey = (place: Place, name: string, property: EntityProperty, direction: unknown): void => {
    const path = [...place.path, name];
    const target = property.targetMeta;
    if (!property.owner || property.polymorphic || property.targetKey !== undefined || target === undefined) {
      throw argumentError(
        'page() orders by a relation that refers to a primary key',
        path.join('.'),
        `Order by a property of the target: { ${name}: { … } }`,
      );
    }
    if (target.compositePK) {
      for (const key of target.primaryKeys) {
        add(inside(place, name, property), key, direction);
      }
      return;
    }
    let key = target.properties[target.primaryKeys[0] as never] as EntityProperty;
    while (key.targetMeta) {
      key = key.targetMeta.properties[key.targetMeta.primaryKeys[0] as never] as EntityProperty;
    }
    addColumn(place, name, property, key, directionOf(direction, path));
  };

  const addColumn = (
    place: Place,
    name: string,
    column: EntityProperty,
    property: EntityProperty,
    direction: Direction,
  ): void => {
    const path = [...place.path, name];
    const id = path.join('.');
    if (!seen.has(id)) {
      seen.add(id);
      terms.push({
        path,
        ownColumn: place.own ? column.name : undefined,
        property,
        text: textOf(property, id, microsecondsOf),
        ...direction,
        nullable: place.nullable || column.nullable === true,
        given,
        group,
        // A reference has its key without being loaded.
        populate: column.lazy ? id : place.relations.at(column.primary ? -2 : -1),
      });
    }
  };

  const add = (place: Place, name: string, value: unknown): void => {
    const path = [...place.path, name];
    const property = Object.hasOwn(place.properties, name) ? place.properties[name] : undefined;
    if (property === undefined) {
      throw argumentError(`page() orders by properties of ${place.className}`, path.join('.'), 'Name one of them');
    }
    if (property.kind === '1:m' || property.kind === 'm:n') {
      throw argumentError(
        'page() orders by properties of which a row has one',
        `${path.join('.')}, a to-many relation`,
        'Order by a property of the entity itself or of a to-one relation',
      );
    }
    const nested = typeof value === 'object' && value !== null;
    if (property.kind === 'embedded') {
      if (!nested || property.object || property.array) {
        throw argumentError(
          'page() orders by properties of an embeddable that has columns of its own',
          path.join('.'),
          `Write { ${name}: { property: 'asc' } }; what is kept as JSON has no order`,
        );
      }
      addAll(inside(place, name, property), value);
    } else if (property.kind === 'scalar') {
      addColumn(place, name, property, property, directionOf(value, path));
    } else if (nested) {
      addAll(inside(place, name, property), value);
    } else {
      addKey(place, name, property, value);
    }
  };

  const addAll = (place: Place, order: object): void => {
    for (const name of Reflect.ownKeys(order)) {
      if (typeof name === 'symbol') {
        throw argumentError(
          'page() orders by properties, whose values a cursor can hold',
          'raw()',
          'Order by a property; for an expression, declare a generated column',
        );
      }
      const value = (order as Record<string, unknown>)[name];
      if (value !== undefined) {
        group += place.path.length === 0 ? 1 : 0;
        add(place, name, value);
      }
    }
  };

  const root: Place = {
    path: [],
    properties: meta.properties as Properties,
    className: meta.className,
    // With a table per type the columns of a row are in several tables.
    own: meta.root?.inheritanceType !== 'tpt',
    relations: [],
    nullable: false,
  };
  for (const order of Array.isArray(orderBy) ? (orderBy as readonly unknown[]) : orderBy == null ? [] : [orderBy]) {
    if (typeof order !== 'object' || order === null) {
      throw argumentError(
        'page() takes orderBy as an object or an array of objects',
        order,
        "Write { property: 'asc' }",
      );
    }
    addAll(root, order);
  }
  given = false;
  const { descending } = terms.at(-1) ?? { descending: false };
  for (const key of meta.primaryKeys) {
    add(root, key, descending ? 'desc' : 'asc');
  }
  return withoutIdleTerms(terms, meta);
}

function inside(place: Place, name: string, property: EntityProperty): Place {
  const embedded = property.kind === 'embedded';
  return {
    path: [...place.path, name],
    properties: (embedded ? property.embeddedProps : (property.targetMeta?.properties ?? {})) as Properties,
    className: embedded ? property.type : (property.targetMeta?.className ?? property.type),
    own: place.own && embedded,
    relations: embedded ? place.relations : [...place.relations, [...place.path, name].join('.')],
    nullable: place.nullable || property.nullable === true,
  };
}

/** What comes after the whole key decides nothing. */
function withoutIdleTerms(terms: readonly OrderTerm[], meta: EntityMetadata): readonly OrderTerm[] {
  const missing = new Set<string>(meta.primaryKeys);
  for (const [index, { path }] of terms.entries()) {
    missing.delete(path.length === 1 ? path[0]! : '');
    if (missing.size === 0) {
      return terms.slice(0, index + 1);
    }
  }
  return terms;
}

/** PostgreSQL's default: null is larger than any value (docs, 7.5). */
function directionOf(value: unknown, path: readonly string[]): Direction {
  const text = value === 1 ? 'asc' : value === -1 ? 'desc' : value;
  const parts = typeof text === 'string' ? /^(asc|desc)(?: nulls (first|last))?$/i.exec(text) : null;
  if (!parts) {
    throw argumentError(
      `page() takes the direction of ${path.join('.')} as 'asc', 'desc', 1 or -1, with 'nulls first' or 'nulls last' after a word`,
      value,
      "Write 'asc', for example, or 'desc nulls last'",
    );
  }
  const descending = parts[1]!.toLowerCase() === 'desc';
  return { descending, nullsFirst: parts[2] === undefined ? descending : parts[2].toLowerCase() === 'first' };
}

function textOf(property: EntityProperty, path: string, microsecondsOf: (date: Date) => number): ColumnText {
  const type = property.columnTypes?.[0];
  const refuse = (why: string, remedy: string): never => {
    throw argumentError('page() orders by columns whose values a cursor can hold', `${path}, ${why}`, remedy);
  };
  if (property.formula || property.persist === false || type === undefined) {
    return refuse('which has no column', 'Declare a generated column, which can have an index as well');
  }
  if (property.customOrder) {
    return refuse('which has a customOrder', 'Declare a generated column with the place of each value');
  }
  if (property.hasConvertToDatabaseValueSQL || property.hasConvertToJSValueSQL) {
    return refuse('whose values are converted by SQL', 'Order by a column that is read as it is');
  }
  const isNumber =
    property.runtimeType === 'number' || (property.customType as { mode?: unknown } | undefined)?.mode === 'number';
  if (/^(?:numeric|decimal)/i.test(type) && isNumber && !((property.precision ?? Infinity) <= 15)) {
    return refuse(`of type ${type}, more digits than a number has`, "Declare it p.decimal('string')");
  }
  const items = property.nativeEnumName === undefined ? undefined : property.items;
  return (
    columnText({ type, items, microsecondsOf }) ??
    refuse(`of type ${type}`, 'Order by numbers, text, uuid, boolean, enum, dates or times')
  );
}
