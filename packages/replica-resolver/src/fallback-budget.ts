/** A read got no place on the primary: it has waited too long, too many wait, or there are no places at all. */
export class FallbackRefused extends Error {
  override readonly name = 'FallbackRefused';
  /** How long it has waited, in ms; 0 when it was refused at once. */
  readonly waited: number;
  /** Places there are now. */
  readonly limit: number;

  constructor(message: string, waited: number, limit: number) {
    super(message);
    this.waited = waited;
    this.limit = limit;
  }
}

/** What a `FallbackBudget` is made of. */
export interface FallbackBudgetOptions {
  /** Places there are now; asked each time, may change. Less than 1: none. */
  readonly limit: () => number;
  /** How long one may wait, in ms. */
  readonly maxWait: number;
  /** How many may wait. */
  readonly maxQueue: number;
}

interface Waiter {
  readonly since: number;
  readonly timer: NodeJS.Timeout;
  readonly admit: (release: () => void) => void;
  readonly refuse: (error: FallbackRefused) => void;
}

/**
 * Places on the primary for reads that no replica may answer. Bounded, so that writes keep connections when all
 * replicas fail. Who comes first is served first.
 *
 * When the limit shrinks, holders keep their places, and nobody new gets one until there are fewer. That it has changed
 * is seen with the next call, the next release, and the end of a wait.
 */
export class FallbackBudget {
  readonly #options: FallbackBudgetOptions;
  /** In order of arrival. */
  readonly #waiters = new Set<Waiter>();
  #inUse = 0;

  constructor(options: FallbackBudgetOptions) {
    this.#options = options;
  }

  /** Places taken. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Those who wait for a place. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Takes a place, or waits for one.
   * @returns gives the place back; to be called when the read has ended, however it has ended. Further calls do
   * nothing.
   * @throws {FallbackRefused} (the promise rejects) after `maxWait` ms, and at once when `maxQueue` wait already or
   * there are no places at all. Nothing was sent.
   */
  acquire(): Promise<() => void> {
    this.#serve();
    const limit = this.#options.limit();
    if (this.#waiters.size === 0 && this.#inUse + 1 <= limit) {
      return Promise.resolve(this.#hold());
    }
    if (limit < 1) {
      return Promise.reject(noPlaces(0, limit));
    }
    if (this.#waiters.size >= this.#options.maxQueue) {
      return Promise.reject(
        new FallbackRefused(
          `At most ${this.#options.maxQueue} reads wait for one of the ${limit} places on the primary, and so many ` +
            'wait already. Bring replicas back, or allow more places.',
          0,
          limit,
        ),
      );
    }
    return new Promise((admit, refuse) => {
      const waiter: Waiter = {
        since: performance.now(),
        // unref: a read that waits for a place does not keep a process alive, those that hold the places do.
        timer: setTimeout(() => this.#expire(waiter), this.#options.maxWait).unref(),
        admit,
        refuse,
      };
      this.#waiters.add(waiter);
    });
  }

  #hold(): () => void {
    this.#inUse++;
    let held = true;
    return () => {
      if (held) {
        held = false;
        this.#inUse--;
        this.#serve();
      }
    };
  }

  /** Gives free places to those who wait. When there are no places any more, there is nothing to wait for. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const limit = this.#options.limit();
      if (limit < 1) {
        this.#remove(waiter);
        waiter.refuse(noPlaces(performance.now() - waiter.since, limit));
      } else if (this.#inUse + 1 <= limit) {
        this.#remove(waiter);
        waiter.admit(this.#hold());
      } else {
        return;
      }
    }
  }

  #expire(waiter: Waiter): void {
    // The limit may have grown.
    this.#serve();
    if (this.#waiters.has(waiter)) {
      this.#remove(waiter);
      const limit = this.#options.limit();
      waiter.refuse(
        new FallbackRefused(
          `A read waits at most ${this.#options.maxWait} ms for one of the ${limit} places on the primary, and none ` +
            'came free in that time. Bring replicas back, or allow more places.',
          performance.now() - waiter.since,
          limit,
        ),
      );
    }
  }

  #remove(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
  }
}

function noPlaces(waited: number, limit: number): FallbackRefused {
  return new FallbackRefused(
    `Reads that no replica may answer need a place on the primary, but there are ${limit}. Bring replicas back, or ` +
      'allow more places.',
    waited,
    limit,
  );
}
