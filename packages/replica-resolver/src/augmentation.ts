import type { Consistency } from './consistency.ts';

declare module '@mikro-orm/core' {
  // The type parameters have to be those of the interfaces that this adds to.
  interface FindOptions<
    Entity,
    Hint extends string = never,
    Fields extends string = never,
    Excludes extends string = never,
  > {
    /** What this read may miss, and what it populates. Of `@mikrokit/replica-resolver`. */
    consistency?: Consistency | undefined;
  }
  interface CountOptions<T extends object, P extends string = never> {
    /** What this count may miss. Of `@mikrokit/replica-resolver`. */
    consistency?: Consistency | undefined;
  }
}
