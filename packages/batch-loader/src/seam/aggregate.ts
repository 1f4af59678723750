import { type EntityMetadata, type EntityProperty, type MikroORM, ReferenceKind, type Type } from '@mikro-orm/core';
import { quoted } from '../shape/identifiers.ts';
import type { Query } from './intercept.ts';

type Aggregate = 'sum' | 'min' | 'max' | 'avg';

// The outermost select of a statement on one table, as MikroORM writes it.
const ONE_TABLE =
  /^select (?:(?! from ).)* from ((?:"(?:[^"]|"")*"\.)?"(?:[^"]|"")*" as ("(?:[^"]|"")*"))(?: where ([^]*))?$/;

/**
 * Turns the statement that finds rows into one that sums them up: `value` is the aggregate over the distinct rows.
 *
 * @param query `em.find()` of the key and the property, without an order
 */
export function aggregateStatement(
  query: Query,
  aggregate: Aggregate,
  meta: EntityMetadata,
  property: EntityProperty,
): Query {
  const column = quoted(property.fieldNames[0]!);
  const simple = ONE_TABLE.exec(query.sql);
  const type = property.customType as Type<unknown> | undefined;
  // What SQL computes or converts is a value of the select, not of the column.
  const isPlain = property.formula === undefined && type?.convertToJSValueSQL === undefined;
  if (simple && isPlain && !meta.tptParent && !/ order by /.test(simple[3] ?? '')) {
    const where = simple[3] === undefined ? '' : ` where ${simple[3]}`;
    return {
      sql: `select ${aggregate}(${simple[2]!}.${column}) as "value" from ${simple[1]!}${where}`,
      params: query.params,
    };
  }
  // A condition on a to-many relation joins, and finds a row as often as it matches.
  const keys = meta
    .getPrimaryProps()
    .flatMap(({ fieldNames }) => fieldNames)
    .map(name => `"_mk_one".${quoted(name)}`);
  return {
    sql: `select ${aggregate}("_mk_rows"."value") as "value" from (select distinct ${keys.join(', ')}, "_mk_one".${column} as "value" from (${query.sql}) as "_mk_one") as "_mk_rows"`,
    params: query.params,
  };
}

/**
 * What to ask for of rows that are only counted or summed up: the key, and references. MikroORM joins those whose targets
 * have filters, and hides rows by them, if it is to load them.
 */
export function countedFields(meta: EntityMetadata): string[] {
  const references = meta.relations.filter(
    ({ kind, owner, embedded }) =>
      embedded === undefined && (kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner)),
  );
  return [...new Set([...meta.primaryKeys, ...references.map(({ name }) => name)])];
}

/** What the aggregate is in JavaScript: a value of the property for `min` and `max`, a sum or mean as exact as it. */
export function aggregateValue(orm: MikroORM, aggregate: Aggregate, property: EntityProperty, value: unknown): unknown {
  if (value === null || value === undefined) {
    return null;
  }
  // pg gives numbers beyond its own as text.
  const text = typeof value === 'object' ? '' : `${value as string | number | bigint}`;
  const platform = orm.driver.getPlatform();
  const type = property.customType as Type<unknown> | undefined;
  if (aggregate === 'sum' || aggregate === 'avg') {
    switch (property.runtimeType as string) {
      case 'number':
        return Number(value);
      case 'bigint':
        return aggregate === 'sum' ? BigInt(text) : text;
      default:
        return aggregate === 'sum' && type ? type.convertToJSValue(text, platform) : text;
    }
  }
  if (type) {
    return type.convertToJSValue(value, platform);
  }
  return property.runtimeType === 'Date' ? platform.parseDate(text) : value;
}
