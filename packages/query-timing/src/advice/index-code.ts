import { createHash } from 'node:crypto';
import type { EntityModel } from '../model.ts';
import { quoted } from '../plans/rules/words.ts';
import type { TableName } from '../plans/table-facts.ts';
import type { ChosenIndex, IndexColumn } from './index-choice.ts';

/** `create index concurrently …`, as somebody would run it. */
export function createIndexSql(table: TableName, index: ChosenIndex): string {
  return `create index concurrently ${quoted(indexName(table.name, index))} ${definition(table, index)};`;
}

/** The part after the name: what HypoPG and a test of the index need as well. */
export function definition(table: TableName, { columns, isNull }: ChosenIndex): string {
  const on = table.schema === undefined ? quoted(table.name) : `${quoted(table.schema)}.${quoted(table.name)}`;
  const where = isNull.map(column => `${quoted(column)} is null`).join(' and ');
  return `on ${on} (${columns.map(columnSql).join(', ')})${where && ` where ${where}`}`;
}

/** As MikroORM names one; at most 63 bytes. */
export function indexName(table: string, { columns }: ChosenIndex): string {
  const name = `${table}_${columns.map(({ column }) => column).join('_')}_index`;
  if (Buffer.byteLength(name) <= 63) {
    return name;
  }
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${Buffer.from(name)
    .subarray(0, 48)
    .toString()
    .replace(/\uFFFD+$/, '')}_${hash}_index`;
}

/** The same for the entity: `indexes: [...]` of defineEntity and the decorator. `undefined` if a column has no property. */
export function entityCode(entity: EntityModel, index: ChosenIndex): string | undefined {
  const names = index.columns.map(({ column }) => entity.properties.get(column));
  const nulls = index.isNull.map(column => entity.properties.get(column));
  if ([...names, ...nulls].includes(undefined)) {
    return undefined;
  }
  const mixed = index.columns.some(({ order }) => order !== undefined);
  const list = mixed
    ? `columns: [${index.columns.map((column, place) => columnCode(names[place]!, column)).join(', ')}]`
    : `properties: [${[...new Set(names)].map(name => text(name!)).join(', ')}]`;
  const where = nulls.length > 0 ? `, where: { ${nulls.map(name => `${key(name!)}: null`).join(', ')} }` : '';
  const options = `{ ${list}${where} }`;
  return `defineEntity({ name: ${text(entity.name)}, …, indexes: [${options}] })\n@Index(${options})  // on the class ${entity.name}`;
}

function columnSql({ column, order }: IndexColumn): string {
  if (!order) {
    return quoted(column);
  }
  const nulls = order.nullsFirst === order.descending ? '' : order.nullsFirst ? ' nulls first' : ' nulls last';
  return `${quoted(column)}${order.descending ? ' desc' : ''}${nulls}`;
}

function columnCode(name: string, { order }: IndexColumn): string {
  const sort = order?.descending ? `, sort: 'desc'` : '';
  const nulls =
    !order || order.nullsFirst === order.descending ? '' : `, nulls: '${order.nullsFirst ? 'first' : 'last'}'`;
  return `{ name: ${text(name)}${sort}${nulls} }`;
}

function text(value: string): string {
  return `'${value.replace(/['\\]/g, '\\$&')}'`;
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name);
}
