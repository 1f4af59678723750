import type { EntityLoaderOptions } from '@mikro-orm/core';

declare module '@mikro-orm/core' {
  // The type parameters have to be those of the declaration that is augmented.
  interface InitCollectionOptions<
    T,
    P extends string = never,
    F extends string = never,
    E extends string = never,
  > extends EntityLoaderOptions<T, F, E> {
    /** The most items to load **per owner**, by `orderBy` (ties broken by the key). Needs `@mikrokit/batch-loader`. */
    limit?: number | undefined;
    /** Items to pass over **per owner** before `limit` counts. Needs `@mikrokit/batch-loader`. */
    offset?: number | undefined;
  }
}
