/** SQL text with its parameters, MikroORM's `raw()` fragment. */
export interface RawLike {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** Turns a value into a string; two values give the same string only if a query cannot tell them apart. */
export type KeyOf = (value: unknown) => string;

/**
 * Creates the injective key function by which options are compared.
 *
 * `JSON.stringify`, which MikroORM's own loader uses, drops `raw()` keys and RegExps, throws on bigint and turns a Date
 * into a string: calls that differ would share a query. Here every kind of value is written with a tag of its own, and
 * what has no value to compare (functions, class instances, AbortSignals, entities) by identity: never wrongly equal, at
 * worst not merged.
 *
 * @param rawFragment tells MikroORM's raw fragments, given as values or as the symbols they become as object keys
 */
export function createKeyOf(rawFragment: (candidate: unknown) => RawLike | undefined): KeyOf {
  const identities = new WeakMap<WeakKey, number>();
  let last = 0;

  const identity = (value: WeakKey): string => {
    let id = identities.get(value);
    if (id === undefined) {
      id = ++last;
      identities.set(value, id);
    }
    return `#${id}`;
  };

  const propertyKey = (key: string | symbol): string => {
    if (typeof key === 'string') {
      return JSON.stringify(key);
    }
    const raw = rawFragment(key);
    return raw ? keyOf(raw) : symbolKey(key);
  };

  // A registered symbol cannot be held weakly, and needs not be: its name is its identity.
  const symbolKey = (symbol: symbol): string => {
    const registered = Symbol.keyFor(symbol);
    return registered === undefined ? identity(symbol) : `@${JSON.stringify(registered)}`;
  };

  const objectKey = (value: object): string => {
    const raw = rawFragment(value);
    if (raw) {
      return `raw(${JSON.stringify(raw.sql)},${listKey(raw.params)})`;
    }
    if (Array.isArray(value)) {
      return listKey(value);
    }
    if (value instanceof Date) {
      return `date(${value.getTime()})`;
    }
    if (value instanceof RegExp) {
      return `regexp(${JSON.stringify(value.source)},${value.flags})`;
    }
    if (value instanceof Uint8Array) {
      return `bytes(${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')})`;
    }
    if (value instanceof Set) {
      return `set${listKey([...value])}`;
    }
    if (value instanceof Map) {
      return `map${listKey([...value])}`;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      return identity(value);
    }
    // In the order given: orderBy depends on it, and sorting would only merge what nobody writes.
    return `{${Reflect.ownKeys(value)
      .map(key => `${propertyKey(key)}:${keyOf((value as Record<string | symbol, unknown>)[key])}`)
      .join(',')}}`;
  };

  const listKey = (list: readonly unknown[]): string => `[${Array.from(list, item => keyOf(item)).join(',')}]`;

  const keyOf = (value: unknown): string => {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
        // String(-0) is '0'; the sign reaches SQL.
        return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint':
        return `${value}n`;
      case 'boolean':
      case 'undefined':
        return String(value);
      case 'symbol':
        return propertyKey(value);
      case 'function':
        return identity(value);
      case 'object':
        return value === null ? 'null' : objectKey(value);
    }
  };
  return keyOf;
}

/**
 * Key of an options object, by its defined members. The empty string for none, which is the usual case and costs nothing.
 *
 * @param except members that do not change what is read
 */
export function optionsKey(options: object, keyOf: KeyOf, except: ReadonlySet<string>): string {
  let key = '';
  for (const name in options) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && !except.has(name)) {
      key += `${JSON.stringify(name)}:${keyOf(value)};`;
    }
  }
  return key;
}
