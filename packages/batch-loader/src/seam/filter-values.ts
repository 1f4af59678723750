import type { EntityManager, MikroORM } from '@mikro-orm/core';
import type { KeyOf } from '../batch-key.ts';

interface Filter {
  readonly name?: string;
  readonly cond?: unknown;
  readonly args?: boolean;
}

type Condition = (...args: unknown[]) => unknown;

/**
 * What filters say that take their values from around a call, such as a tenant from an AsyncLocalStorage. A batch runs in
 * the async context of its first call: calls for which such a filter says something else must not share it.
 *
 * Only filters without arguments are asked: arguments come from the EntityManager, whose changes end a batch anyway. One
 * that answers with a promise cannot be asked in time, and is not.
 */
export class FilterValues {
  readonly #orm: MikroORM;
  readonly #keyOf: KeyOf;
  readonly #asynchronous = new WeakSet<Condition>();
  #conditions: Set<Condition> | undefined;

  constructor(orm: MikroORM, keyOf: KeyOf) {
    this.#orm = orm;
    this.#keyOf = keyOf;
  }

  /** To be called for a filter that an EntityManager is given. */
  added(filter: unknown): void {
    const conditions = this.#known();
    for (const condition of conditionsOf([filter as Filter])) {
      conditions.add(condition);
    }
  }

  /** What the filters say for a call that is made now; empty if there are none. */
  around(em: EntityManager): string {
    let key = '';
    for (const condition of this.#known()) {
      if (!this.#asynchronous.has(condition)) {
        key += this.#valueOf(condition, em);
      }
    }
    return key;
  }

  #valueOf(condition: Condition, em: EntityManager): string {
    try {
      const value = condition(undefined, 'read', em, {}, '');
      if (value instanceof Promise) {
        this.#asynchronous.add(condition);
        value.catch(() => undefined);
        return '';
      }
      return `${untimed(this.#keyOf(value))};`;
    } catch {
      // It will say so to the call itself.
      return '!;';
    }
  }

  #known(): Set<Condition> {
    if (this.#conditions === undefined) {
      const named = Object.values((this.#orm.config.get('filters') ?? {}) as Record<string, Filter>);
      const own = [...this.#orm.getMetadata().getAll().values()].flatMap(meta =>
        Object.values((meta.filters as Record<string, Filter> | undefined) ?? {}),
      );
      this.#conditions = new Set(conditionsOf([...named, ...own]));
    }
    return this.#conditions;
  }
}

/** A filter that compares with the present says something else each millisecond, and means the same. */
function untimed(key: string): string {
  const now = Date.now();
  return key.replaceAll(/date\((\d+)\)/g, (date, time: string) =>
    Math.abs(Number(time) - now) < 60_000 ? 'now' : date,
  );
}

function conditionsOf(filters: readonly Filter[]): Condition[] {
  return filters
    .map(({ cond }) => cond)
    .filter((cond): cond is Condition => typeof cond === 'function' && cond.length === 0)
    .filter(cond => cond.constructor.name !== 'AsyncFunction');
}
