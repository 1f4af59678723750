import type { KeyOf } from '../batch-key.ts';

/** The condition of a call without its values, and the values. */
export interface CallShape {
  /** Equal for conditions of one structure: the same properties and operators, with values of the same kinds. */
  readonly key: string;
  /** The values left out of the key, in the order they stand in. */
  readonly leaves: readonly unknown[];
  /** Whether something in it is only known by identity, so that the key says nothing about its structure. */
  readonly opaque: boolean;
}

/** What the walk has to know of MikroORM. */
export interface ConditionReader {
  readonly keyOf: KeyOf;
  /** The key of an entity or reference that has a simple one, to stand for it as it does in a query. */
  simpleKey(value: object): string | number | bigint | undefined;
}

/**
 * Takes the values out of a condition.
 *
 * Booleans and null stay in the key, as what they stand for may be other SQL (`is null`, `$exists`). So do `raw()`
 * fragments, lists within JSON, and whatever else is not one of the plain kinds.
 */
export function shapeOf(where: unknown, reader: ConditionReader): CallShape {
  const leaves: unknown[] = [];
  let opaque = false;
  const walk = (value: unknown): string => {
    switch (typeof value) {
      case 'string':
        leaves.push(value);
        return 's';
      case 'number':
        leaves.push(value);
        return Number.isInteger(value) ? 'i' : 'f';
      case 'bigint':
        leaves.push(value);
        return 'n';
      case 'object':
        break;
      default:
        return reader.keyOf(value);
    }
    if (value === null) {
      return '0';
    }
    if (Array.isArray(value)) {
      let key = '[';
      for (const item of value) {
        key += `${walk(item)},`;
      }
      return `${key}]`;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      let key = '{';
      for (const name of Reflect.ownKeys(value)) {
        key += `${typeof name === 'string' ? JSON.stringify(name) : reader.keyOf(name)}:${walk((value as Record<string | symbol, unknown>)[name])},`;
      }
      return `${key}}`;
    }
    if (value instanceof Date) {
      leaves.push(value);
      return 'd';
    }
    const simple = reader.simpleKey(value);
    if (simple !== undefined) {
      leaves.push(simple);
      return typeof simple === 'string' ? 's' : typeof simple === 'number' ? 'i' : 'n';
    }
    opaque = true;
    return reader.keyOf(value);
  };
  const key = walk(where);
  return { key, leaves, opaque };
}

/** The same condition with other values, in the order of {@link CallShape.leaves}. */
export function withLeaves(where: unknown, leaves: readonly unknown[], reader: ConditionReader): unknown {
  let next = 0;
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || value instanceof Date) {
      return leaves[next++];
    }
    if (typeof value !== 'object' || value === null) {
      return value;
    }
    if (Array.isArray(value)) {
      return value.map(walk);
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      const copy: Record<string | symbol, unknown> = {};
      for (const name of Reflect.ownKeys(value)) {
        copy[name] = walk((value as Record<string | symbol, unknown>)[name]);
      }
      return copy;
    }
    return reader.simpleKey(value) === undefined ? value : leaves[next++];
  };
  return walk(where);
}

/** Values of the same kinds that occur nowhere else, to be looked for among a statement's parameters. */
export function sentinelsFor(leaves: readonly unknown[]): unknown[] {
  // Within int4 and a plain year, in case something between looks at them.
  const base = 1_000_000_000 + Math.floor(Math.random() * 500_000_000);
  return leaves.map((leaf, index) => {
    switch (typeof leaf) {
      case 'string':
        return `mikrokit-${base + index}`;
      case 'bigint':
        return BigInt(base + index) * 1_000_003n;
      case 'number':
        return Number.isInteger(leaf) ? base + index : base + index + 0.015_625;
      default:
        return new Date(Date.UTC(2001, 0) + (base + index) * 97);
    }
  });
}
