/**
 * Copies of a statement's values, so that nothing of the caller's is kept.
 * @param most characters and bytes of all of them
 * @returns `undefined` if they are too large, or if one is an object whose text only its driver knows
 */
export function keptValues(values: readonly unknown[], most: number): readonly unknown[] | undefined {
  let left = most;
  const copies = copied(values, 8);
  return left < 0 ? undefined : copies;

  function copied(list: readonly unknown[], depth: number): readonly unknown[] {
    left -= 8 * list.length;
    return left < 0 ? [] : list.map(each => copy(each, depth - 1));
  }

  function copy(value: unknown, depth: number): unknown {
    if (typeof value === 'string') {
      left -= value.length;
      return value;
    }
    if (value === undefined || value === null || PRIMITIVE.has(typeof value)) {
      return value;
    }
    if (value instanceof Date) {
      return new Date(value);
    }
    if (value instanceof Uint8Array) {
      left -= value.length;
      return left < 0 ? undefined : Buffer.from(value);
    }
    if (Array.isArray(value) && depth > 0) {
      return copied(value, depth);
    }
    left = -1;
    return undefined;
  }
}

const PRIMITIVE: ReadonlySet<string> = new Set(['number', 'bigint', 'boolean']);
