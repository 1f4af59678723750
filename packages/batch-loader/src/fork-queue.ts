import { AsyncLocalStorage } from 'node:async_hooks';
import DataLoader from 'dataloader';
import type { Schedule } from './batch-window.ts';

/** What a fork is in the middle of when a call is made; calls made in the middle of different things do not mix. */
export interface Surroundings {
  /** The open transaction. */
  readonly transaction: unknown;
  /** The flush that the call is made from, by one of its hooks; a batch that waits for it must not be waited for by it. */
  readonly flush: unknown;
  /** What filters say that take their values from around the call (an AsyncLocalStorage), as text. */
  readonly filters: string;
}

/**
 * A run of calls on one EntityManager fork between which nothing changed that decides what a query returns: the open
 * transaction, the schema, filters and their parameters, the session context. Calls of different segments never share a
 * statement.
 */
export interface Segment<Fork> extends Surroundings {
  /** When its first call was made, `performance.now()` in ms. */
  readonly openedAt: number;
  /** How often the fork had been cleared then. */
  readonly clears: number;
  /** The fork as it was, once its state has changed; statements of this segment take filters, schema and session from it. */
  frozen?: Fork;
}

interface OpenSegment<Fork> extends Segment<Fork> {
  readonly loaders: Map<object, Map<string, WindowLoader>>;
  readonly dispatches: (() => void)[];
  closed: boolean;
  /** Runs a function in the async context of the first call: who dispatches may be anybody, another request even. */
  readonly inContext: <T>(run: () => T) => T;
}

interface WindowLoader {
  readonly loader: DataLoader<object, unknown>;
  /** Its cache. DataLoader makes a promise for each hit, and one more step to resolve it; here a hit is the promise itself. */
  readonly cache: Map<object, Promise<unknown>> | undefined;
  /** Calls so far, hits among them. */
  calls: number;
}

/**
 * Answers the keys of one shape, in their order; an Error in the list rejects that key alone.
 *
 * @param calls how many calls the keys stand for; more than keys, if equal ones were joined
 */
export type RunBatch<Key, Value, Fork> = (
  keys: readonly Key[],
  segment: Segment<Fork>,
  calls: number,
) => Promise<readonly (Value | Error)[]>;

/** How the calls of one shape are answered. */
export interface Shape<Key, Value, Fork> {
  /** Whether two equal keys (by identity) are one. */
  readonly dedupe: boolean;
  readonly run: RunBatch<Key, Value, Fork>;
}

/**
 * Collects the calls made on one EntityManager fork until its batch window closes.
 *
 * Queue and per-request cache are graphql/dataloader's: one DataLoader per shape, which lives for one window. Its cache
 * therefore joins equal calls of a window and is gone with it: it cannot serve what was read before a write, and nothing
 * accumulates in a long-lived fork. The cache across windows is MikroORM's identity map.
 */
export class ForkQueue<Fork> {
  readonly #schedule: Schedule;
  #open: OpenSegment<Fork> | undefined;
  #clears = 0;
  /** Segments whose window has not closed: the open one, and frozen ones. */
  readonly #scheduled = new Set<OpenSegment<Fork>>();
  readonly #running = new Map<Promise<unknown>, Segment<Fork>>();

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** How often the fork was cleared. */
  get clears(): number {
    return this.#clears;
  }

  /** The segment that a call made now belongs to. */
  current(surroundings: Surroundings): Segment<Fork> {
    const open = this.#open;
    if (
      open !== undefined &&
      open.transaction === surroundings.transaction &&
      open.flush === surroundings.flush &&
      open.filters === surroundings.filters
    ) {
      return open;
    }
    const segment = this.#createSegment(surroundings);
    // A window may close as it opens.
    this.#open = segment.closed ? undefined : segment;
    return segment;
  }

  /**
   * Adds one call to the current window.
   *
   * @param scope tells shapes apart, by identity: metadata of the entity
   * @param shapeKey tells shapes apart, as text: everything else that needs a statement of its own
   * @param createShape called for the first call of a shape in a window
   * @param key the call itself, what the shape's `run` gets
   * @param place the segment that the call was made in; if that is closed by now, the open one takes it
   */
  load<Key extends object, Value>(
    scope: object,
    shapeKey: string,
    createShape: () => Shape<Key, Value, Fork>,
    key: Key,
    place: Segment<Fork>,
  ): Promise<Value> {
    let segment = place as OpenSegment<Fork>;
    if (segment.closed) {
      segment = place.frozen === undefined ? (this.current(place) as OpenSegment<Fork>) : this.#reopen(segment);
    }
    let byKey = segment.loaders.get(scope);
    if (byKey === undefined) {
      byKey = new Map();
      segment.loaders.set(scope, byKey);
    }
    let entry = byKey.get(shapeKey);
    if (entry === undefined) {
      entry = this.#createLoader(createShape() as unknown as Shape<object, unknown, Fork>, segment);
      byKey.set(shapeKey, entry);
    }
    entry.calls++;
    return (entry.cache?.get(key) ?? entry.loader.load(key)) as Promise<Value>;
  }

  /**
   * To be called before the fork's state changes. Calls already made keep the state they were made in: they are answered
   * from `snapshot()`, which is taken only if there are any.
   */
  freeze(snapshot: () => Fork): void {
    this.#open = undefined;
    const affected = [...this.#running.values(), ...this.#scheduled].filter(segment => segment.frozen === undefined);
    if (affected.length > 0) {
      const frozen = snapshot();
      for (const segment of affected) {
        segment.frozen = frozen;
      }
    }
  }

  /** To be called when the fork is cleared: calls already made keep their place, and are told apart from later ones. */
  clear(): void {
    this.#clears++;
    this.#open = undefined;
  }

  /** Has `settle()` wait for a call that has to wait for another before it can be queued. */
  hold(call: Promise<unknown>, segment: Segment<Fork>): void {
    const over = (): void => void this.#running.delete(call);
    this.#running.set(call, segment);
    call.then(over, over);
  }

  /** Closes the open windows now. */
  send(): void {
    this.#scheduled.forEach(segment => this.#close(segment));
  }

  /**
   * Sends what is collected now and waits until it is answered. Never rejects.
   *
   * @param flush the flush that waits, if it is from within one: what was asked for outside it may in turn wait for it
   */
  async settle(flush: unknown): Promise<void> {
    // A load reaches the queue a promise job or two after it was called.
    for (let job = 0; job < 4; job++) {
      await Promise.resolve();
    }
    this.send();
    const own = [...this.#running].filter(([, segment]) => segment.flush === flush);
    await Promise.allSettled(own.map(([answer]) => answer));
  }

  /** One more window with the state of a closed segment, for a call that was made in it and came late. */
  #reopen({ frozen, ...surroundings }: OpenSegment<Fork>): OpenSegment<Fork> {
    return Object.assign(this.#createSegment(surroundings), { frozen });
  }

  #createSegment({ transaction, flush, filters }: Surroundings): OpenSegment<Fork> {
    const segment: OpenSegment<Fork> = {
      openedAt: performance.now(),
      transaction,
      flush,
      filters,
      clears: this.#clears,
      loaders: new Map(),
      dispatches: [],
      closed: false,
      inContext: AsyncLocalStorage.snapshot(),
    };
    this.#scheduled.add(segment);
    this.#schedule(() => this.#close(segment));
    return segment;
  }

  #close(segment: OpenSegment<Fork>): void {
    if (segment.closed) {
      return;
    }
    segment.closed = true;
    this.#scheduled.delete(segment);
    if (this.#open === segment) {
      this.#open = undefined;
    }
    segment.inContext(() => segment.dispatches.forEach(dispatch => dispatch()));
    segment.loaders.clear();
    segment.dispatches.length = 0;
  }

  #createLoader(shape: Shape<object, unknown, Fork>, segment: OpenSegment<Fork>): WindowLoader {
    const cache = shape.dedupe ? new Map<object, Promise<unknown>>() : undefined;
    const loader = new DataLoader<object, unknown>(
      keys => {
        const answer = shape.run(keys, segment, entry.calls);
        this.hold(answer, segment);
        return answer as Promise<ArrayLike<unknown>>;
      },
      {
        cacheMap: cache ?? null,
        // A window that closes as it opens has closed before its first loader is there; DataLoader has no key to send yet.
        batchScheduleFn: dispatch => {
          if (!segment.closed) {
            segment.dispatches.push(dispatch);
            return;
          }
          // What changes until then has to find it.
          this.#scheduled.add(segment);
          queueMicrotask(() => {
            this.#scheduled.delete(segment);
            segment.inContext(dispatch);
          });
        },
      },
    );
    const entry: WindowLoader = { loader, cache, calls: 0 };
    return entry;
  }
}
