import type { Polymorphic } from './polymorphic.ts';
import type { Path, Survey } from './survey.ts';

/**
 * What is no plain data stands beside the value, with its place: decoding then looks at these places alone. msgpackr could
 * be taught a class, but only for all of the process.
 */
type Mark = readonly [path: Path, className: string] | readonly [path: Path, discriminator: string, id: unknown];

/** A value and its marks. */
export type Marked = readonly [value: unknown, marks: readonly Mark[]];

export function hasMarks({ references, classes }: Survey): boolean {
  return references.size > 0 || classes.length > 0;
}

/** The value as plain data, and its marks. */
export function marked(value: unknown, { references, classes }: Survey): Marked {
  const marks: Mark[] = classes.map(({ path, name }) => [path, name]);
  for (const [{ discriminator, id }, path] of references) {
    marks.push([path, discriminator, id]);
  }
  return [references.size > 0 ? withoutReferences(value, references, new Map()) : value, marks];
}

/** Puts the marks back. Nothing in them is believed: a path goes through a value's own properties only. */
export function unmarked(content: unknown, polymorphic: Polymorphic | undefined): unknown {
  const [value, marks] = list(content, 2);
  const root: Record<string, unknown> = { value };
  for (const mark of list(marks)) {
    const [path, name, id] = list(mark);
    const steps = ['value', ...list(path)];
    const last = steps.pop() as string;
    const owner = steps.reduce(ownProperty, root) as Record<string, unknown>;
    const target = ownProperty(owner, last);
    if (typeof name !== 'string' || polymorphic === undefined) {
      throw new TypeError('a mark of nothing known');
    }
    if (list(mark).length === 3) {
      owner[last] = polymorphic.makeReference(name, id);
      continue;
    }
    const found = polymorphic.classOf(name);
    if (found === undefined || typeof target !== 'object' || target === null) {
      throw new TypeError('a mark of a class that is not there');
    }
    Object.defineProperty(target, 'constructor', { value: found, enumerable: false, configurable: true });
  }
  return root['value'];
}

function list(value: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
    throw new TypeError('a list was expected');
  }
  return value as readonly unknown[];
}

function ownProperty(owner: unknown, step: unknown): unknown {
  if (typeof owner !== 'object' || owner === null || !Object.hasOwn(owner, step as string)) {
    throw new TypeError('a mark of a place that is not there');
  }
  return (owner as Record<string, unknown>)[step as string];
}

/** A copy with null for references; Maps and Sets have none and stay. What was the same object stays the same. */
function withoutReferences(value: unknown, references: Survey['references'], copies: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const known = copies.get(value);
  if (known !== undefined) {
    return known;
  }
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    copy.length = value.length;
    copies.set(value, copy);
    // By its keys, so that holes stay holes.
    for (const key of Object.keys(value)) {
      copy[Number(key)] = withoutReferences(value[Number(key)], references, copies);
    }
    return copy;
  }
  if ((references as ReadonlyMap<object, Path>).has(value)) {
    return null;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return value;
  }
  const copy = {};
  copies.set(value, copy);
  for (const [key, item] of Object.entries(value)) {
    // Defined, not set: a key may be `__proto__`.
    Object.defineProperty(copy, key, {
      value: withoutReferences(item, references, copies),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}
