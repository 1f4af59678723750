import { channel } from 'node:diagnostics_channel';
import type { CallMethod } from './calls.ts';
import type { Strategy } from './shape/merged-statement.ts';

/**
 * What is published on the `mikrokit:batch` diagnostics channel, once per batched statement. Numbers and short strings
 * only: no keys, rows or entities.
 */
export interface BatchEvent {
  /**
   * What was read: a to-one reference, a collection, the count of one (with `relation`), lazy properties and relations of
   * entities, or the calls of a method of `batch(em)`.
   */
  readonly kind: 'reference' | 'collection' | 'count' | 'property' | CallMethod;
  /** Class name of the entity that was referenced (`reference`), or that owns the relation or property. */
  readonly entity: string;
  /** Name of the relation, or of the populated properties, comma separated. Absent for references. */
  readonly relation?: string;
  /** Calls answered by this statement. */
  readonly keys: number;
  /** Entities or owners asked for, without repetition. */
  readonly distinct: number;
  /** Of these, how many nobody asked for yet: peers of one that was (`batchLoader({ peers })`). Absent for none. */
  readonly peers?: number;
  /** Rows or items read; for counts, the owners that have any. */
  readonly rows: number;
  /** From the first call of the window to the statement, in ms. */
  readonly waited: number;
  /** The statement with hydration, in ms. */
  readonly took: number;
  /** How calls of `batch(em)` became one statement; `alone` if the statement is that of a single call. */
  readonly strategy?: Strategy | 'alone';
  /** Why a call of `batch(em)` was sent alone. */
  readonly reason?: string;
  /** Class name of the error, if the statement failed. */
  readonly error?: string;
}

/** Publishes batches, and builds the event only when somebody listens. */
export class BatchChannel {
  readonly #channel = channel('mikrokit:batch');

  publish(event: () => BatchEvent): void {
    if (this.#channel.hasSubscribers) {
      this.#channel.publish(event());
    }
  }
}
