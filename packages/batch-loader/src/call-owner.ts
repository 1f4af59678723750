import { isEntity } from './seam/entity.ts';
import type { Entity } from './seam/entity.ts';

/**
 * The one entity that a condition is about, as in `{ author, pages: { $gt: 100 } }`, if there is one and only one. It may
 * stand in several places.
 */
export function ownerIn(where: unknown): Entity | undefined {
  const found = new Set<Entity>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      return;
    }
    if (isEntity(value)) {
      found.add(value as Entity);
    } else if (Array.isArray(value)) {
      value.forEach(walk);
    } else if (isPlain(value)) {
      Object.values(value).forEach(walk);
    }
  };
  walk(where);
  const [owner] = found;
  return found.size === 1 && owner !== where ? owner : undefined;
}

/** The same condition about another. */
export function aboutAnother(where: unknown, owner: Entity, another: unknown): unknown {
  if (where === owner) {
    return another;
  }
  if (Array.isArray(where)) {
    return where.map(part => aboutAnother(part, owner, another));
  }
  if (typeof where !== 'object' || where === null || !isPlain(where)) {
    return where;
  }
  const copy: Record<string | symbol, unknown> = {};
  for (const name of Reflect.ownKeys(where)) {
    copy[name] = aboutAnother((where as Record<string | symbol, unknown>)[name], owner, another);
  }
  return copy;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
