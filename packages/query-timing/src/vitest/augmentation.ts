import type { QueryAssertions } from './matcher-types.ts';

declare module 'vitest' {
  // The same parameters as Vitest's own declaration has, of which there may not be others.
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> extends QueryAssertions {}
}
