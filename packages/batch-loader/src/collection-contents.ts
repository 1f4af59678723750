import { type KeyOf, optionsKey } from './batch-key.ts';
import type { AnyCollection, LoadOptions } from './seam/entity.ts';
import { filtersOf, orderOf, relationOf, snapshotOf } from './seam/relation.ts';

/** What a load put into a collection, as keys; `''` where nothing was asked for. */
interface Contents {
  /** Which items. */
  readonly items: string;
  /** In which order. */
  readonly order: string;
  /** Which of their properties. */
  readonly fields: string;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * Remembers what the collections of one ORM were loaded with, so that a load that asks for something else is not
 * answered with what is there. A collection that it does not know was loaded in full, by MikroORM itself.
 */
export class CollectionContents {
  readonly #keyOf: KeyOf;
  readonly #contents = new WeakMap<AnyCollection, Contents & { readonly snapshot: unknown }>();

  constructor(keyOf: KeyOf) {
    this.#keyOf = keyOf;
  }

  /** @param options with filters and orders of the relation merged in, as MikroORM gives them to its loader */
  remember(collection: AnyCollection, options: LoadOptions, where: unknown): void {
    const { limit, offset, filters, orderBy, fields, exclude } = options;
    const plain =
      (where ?? limit ?? offset ?? filters ?? fields ?? exclude) === undefined && (orderBy as unknown[]).length === 0;
    if (!plain) {
      this.#contents.set(collection, {
        ...this.#asked(collection, { ...options, where }),
        snapshot: snapshotOf(collection),
      });
    } else if (this.#contents.has(collection)) {
      this.#contents.delete(collection);
    }
  }

  /** Whether the collection holds other items than `load(options)` asks for, in another order, or too little of them. */
  differ(collection: AnyCollection, options: LoadOptions): boolean {
    const remembered = this.#contents.get(collection);
    const isRemembered = remembered !== undefined && remembered.snapshot === snapshotOf(collection);
    if (!isRemembered && collection.isPartial()) {
      // Filled with a part of its items, and written or filled by MikroORM since: which part is not known.
      return true;
    }
    const held = isRemembered
      ? remembered
      : { ...this.#asked(collection, { filters: filtersOf(collection, undefined) }), order: '' };
    const asked = this.#asked(collection, { ...options, filters: filtersOf(collection, options['filters']) });
    return (
      held.items !== asked.items ||
      (options['orderBy'] !== undefined && held.order !== asked.order) ||
      (held.fields !== '' && held.fields !== asked.fields)
    );
  }

  #asked(collection: AnyCollection, options: LoadOptions): Contents {
    const { where, limit, offset, filters, orderBy, fields, exclude } = options;
    const order = orderOf(relationOf(collection), orderBy, false);
    return {
      items: optionsKey(
        { where: isEmptyCondition(where) ? undefined : where, limit, offset, filters },
        this.#keyOf,
        NO_NAMES,
      ),
      order: order.length === 0 ? '' : this.#keyOf(order),
      fields: optionsKey({ fields, exclude }, this.#keyOf, NO_NAMES),
    };
  }
}

/** Whether a condition asks for nothing. A `raw()` key is a symbol, and asks for something. */
export function isEmptyCondition(where: unknown): boolean {
  return where === undefined || where === null || (typeof where === 'object' && Reflect.ownKeys(where).length === 0);
}
