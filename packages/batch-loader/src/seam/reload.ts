import { Collection, type EntityManager, helper } from '@mikro-orm/core';
import type { AnyCollection, LoadOptions } from './entity.ts';

/** On an EntityManager with the extension: whether a loaded collection holds something else than `load(options)` asks for. */
export const holdsOther: unique symbol = Symbol.for('@mikrokit/batch-loader holdsOther');

interface AsksForContents extends EntityManager {
  readonly [holdsOther]?: (collection: AnyCollection, options: LoadOptions) => boolean;
}

const reloading = Symbol.for('@mikrokit/batch-loader reloading');

/**
 * `collection.load()` asks no loader once the collection is loaded, whatever it was loaded with: `load({ limit: 3 })`
 * after `load({ limit: 2 })` would give two items, and `load()` after `load({ where })` some. There is no way in but the
 * prototype; collections of an ORM without the extension pass through. It keeps no state.
 */
export function reloadWhatHoldsOther(): void {
  const prototype = Collection.prototype as unknown as { load: Load & { [reloading]?: true } };
  const load = prototype.load;
  if (load[reloading]) {
    return;
  }
  const patched: typeof load = function (this: AnyCollection, options: LoadOptions = {}) {
    const em = helper(this.owner).__em;
    const own = em && (em as AsksForContents)[holdsOther];
    if (
      own === undefined ||
      options['refresh'] === true ||
      options['dataloader'] === false ||
      this.isDirty() ||
      !this.isInitialized(true) ||
      !own(this, options)
    ) {
      return load.call(this, options);
    }
    return this.init({ refresh: false, ...options } as never);
  };
  patched[reloading] = true;
  prototype.load = patched;
}

type Load = (this: AnyCollection, options?: LoadOptions) => Promise<AnyCollection>;
