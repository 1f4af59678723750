import { channel } from 'node:diagnostics_channel';

/** What is published on the `mikrokit:cache` diagnostics channel. Numbers and short strings only: no rows, no values. */
export type CacheEvent =
  | {
      readonly kind: 'hit';
      readonly entity: string;
      readonly key: string;
      /** How old the entry is, in ms. */
      readonly age: number;
      readonly bytes: number;
      /** Whether it came from the copy in this process. */
      readonly local: boolean;
      /** Why it is served although its TTL is over: it is read anew in the background, or the database failed. */
      readonly stale?: 'revalidating' | 'error';
      /** From the call to the rows, in ms. */
      readonly took: number;
    }
  | {
      readonly kind: 'miss';
      readonly entity: string;
      readonly key: string;
      /** Why there was no hit: nothing there, over its TTL, changed by a write, a commit under way, damaged. */
      readonly reason: 'absent' | 'expired' | 'invalidated' | 'pending' | 'damaged';
    }
  | {
      readonly kind: 'fill';
      readonly entity: string;
      readonly key: string;
      readonly bytes: number;
      readonly tags: number;
      /** What the database took, in ms. */
      readonly cost: number;
      /** Whether it was read in the background, for nobody in particular. */
      readonly background: boolean;
    }
  | { readonly kind: 'bypass'; readonly entity: string; readonly reason: string }
  | {
      readonly kind: 'invalidate';
      readonly cause: InvalidationCause;
      readonly tags: number;
      readonly everything?: string;
    }
  | { readonly kind: 'error'; readonly operation: string; readonly error: string };

/** What made entries invalid. */
export type InvalidationCause =
  | 'commit'
  | 'statement'
  | 'invalidate'
  | 'clear'
  | 'external'
  | 'expired intent'
  | 'recovery';

/** Publishes events, and builds one only when somebody listens. */
export class CacheChannel {
  readonly #channel = channel('mikrokit:cache');

  publish(event: () => CacheEvent): void {
    if (this.#channel.hasSubscribers) {
      this.#channel.publish(event());
    }
  }
}

/** What is told of a failure: never a stack, nor a value. */
export function errorEvent(operation: string, error: unknown): CacheEvent {
  const text = error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'unknown';
  return { kind: 'error', operation, error: text };
}
