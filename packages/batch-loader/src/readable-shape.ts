/**
 * What a condition asks, without the values it asks for: two conditions of one structure are one prepared statement.
 * Properties and operators stay; values of every kind are `?`, lists of them `[?]`, `raw()` keys `(sql)`.
 */
export function structureOf(condition: unknown): string {
  if (Array.isArray(condition)) {
    let list = '';
    let last: string | undefined;
    for (const item of condition) {
      const structure = structureOf(item);
      if (structure !== last) {
        list += last === undefined ? structure : `, ${structure}`;
        last = structure;
      }
    }
    return `[${list}]`;
  }
  if (typeof condition !== 'object' || condition === null) {
    return '?';
  }
  const prototype: unknown = Object.getPrototypeOf(condition);
  if (prototype !== Object.prototype && prototype !== null) {
    return '?';
  }
  let members = '';
  for (const key of Reflect.ownKeys(condition)) {
    const value = (condition as Record<string | symbol, unknown>)[key];
    if (value === undefined) {
      continue;
    }
    const name = typeof key === 'symbol' ? '(sql)' : key;
    members += `${members === '' ? '' : ', '}${name}: ${structureOf(value)}`;
  }
  return members === '' ? '{}' : `{ ${members} }`;
}

/** Options that say how a query is to be run or logged, or what to do about its answer, not what it asks. */
const BESIDE_THE_QUERY: ReadonlySet<string> = new Set([
  'dataloader',
  'failHandler',
  'logging',
  'loggerContext',
  'signal',
  'inflightQueryAbortStrategy',
  'ctx',
  'cache',
  'schema',
  'flushMode',
]);
/** Options whose values differ from page to page and from caller to caller. */
const VALUES: ReadonlySet<string> = new Set([
  'limit',
  'offset',
  'first',
  'last',
  'before',
  'after',
  'where',
  'filters',
]);

/** The same of the options of a query: relations, fields and orders by name, pages and conditions by structure. */
export function optionsShape(options: object): string {
  let shape = '';
  for (const name in options) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && !BESIDE_THE_QUERY.has(name)) {
      const text = VALUES.has(name) ? structureOf(value) : named(value);
      if (text !== '' && text !== '[]' && text !== '{}') {
        shape += `${shape === '' ? '' : ', '}${name}: ${text}`;
      }
    }
  }
  return shape;
}

/** The value as it is, as far as it is made of names. */
function named(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(named).join(', ')}]`;
  }
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '?';
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return '?';
  }
  const members = Object.entries(value).map(([name, member]) => `${name}: ${named(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}
