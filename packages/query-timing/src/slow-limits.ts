import { DAY, isObject, number, wrong } from './checks.ts';
import type { QueryTimingOptions } from './options.ts';

/** From when on queries are slow, in µs. */
export class SlowLimits {
  /** In ms. */
  readonly overall: number;
  readonly #overall: number;
  readonly #entities = new Map<string, number>();
  readonly #shapes = new Map<string, number>();
  readonly #hasMore: boolean;

  /** @throws {OptionsError} for what is no duration, or names no entity */
  constructor(slow: QueryTimingOptions['slow']) {
    const options = isObject(slow) ? slow : { overall: slow };
    for (const name of Object.keys(options)) {
      if (!['overall', 'entities', 'shapes'].includes(name)) {
        throw wrong('slow', 'has overall, entities, shapes', slow, `Remove ${JSON.stringify(name)}.`);
      }
    }
    const { overall, entities, shapes } = options as { overall?: unknown; entities?: unknown; shapes?: unknown };
    this.overall = duration(isObject(slow) ? 'slow.overall' : 'slow', overall, 100);
    this.#overall = this.overall * 1000;
    if (
      entities !== undefined &&
      !(Array.isArray(entities) && entities.every(each => Array.isArray(each) && each.length === 2))
    ) {
      throw wrong(
        'slow.entities',
        'is an array of pairs such as [[Book, 50]]',
        entities,
        'Leave it out if there are none.',
      );
    }
    for (const [entity, ms] of (entities ?? []) as [unknown, unknown][]) {
      const name = nameOf(entity);
      if (name === undefined) {
        throw wrong(
          'slow.entities',
          'names entities by their class, schema or class name',
          entity,
          'Write [[Book, 50]].',
        );
      }
      this.#entities.set(name, duration(`slow.entities (${name})`, ms, this.overall) * 1000);
    }
    if (shapes !== undefined && !isObject(shapes)) {
      throw wrong(
        'slow.shapes',
        "is an object such as { '0123456789abcdef': 50 }",
        shapes,
        'Leave it out if there are none.',
      );
    }
    for (const [id, ms] of Object.entries(shapes ?? {})) {
      this.#shapes.set(id, duration(`slow.shapes (${id.slice(0, 20)})`, ms, this.overall) * 1000);
    }
    this.#hasMore = this.#entities.size + this.#shapes.size > 0;
  }

  /** In µs. */
  of(entity: string | undefined, shape: string): number {
    return this.#hasMore
      ? (this.#shapes.get(shape) ?? (entity === undefined ? undefined : this.#entities.get(entity)) ?? this.#overall)
      : this.#overall;
  }
}

/** A time in ms. */
function duration(option: string, value: unknown, fallback: number): number {
  return number(option, value, fallback, 0, DAY, 'ms');
}

function nameOf(entity: unknown): string | undefined {
  if (typeof entity === 'function' || typeof entity === 'string') {
    return typeof entity === 'string' ? entity : entity.name;
  }
  return (entity as { meta?: { className?: string } } | null | undefined)?.meta?.className;
}
