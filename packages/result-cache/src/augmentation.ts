import type { EntityCtor } from '@mikro-orm/core';
import type { EntityCacheOptions } from './policy.ts';

declare module '@mikro-orm/core' {
  // The type parameters have to be those of the interface that this adds to.
  // oxlint-disable-next-line typescript/no-explicit-any
  interface EntityMetadata<Entity = any, Class extends EntityCtor<Entity> = EntityCtor<Entity>> {
    /** Caches this entity whenever it is read; `cache: false` opts a call out. Of `@mikrokit/result-cache`. */
    resultCache?: EntityCacheOptions | undefined;
  }
}
