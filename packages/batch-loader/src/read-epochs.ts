/**
 * Tells whether what was read on a fork may still be handed out. `writes` are those that go past the unit of work, and
 * everything else that may change what a query returns; entities in the identity map follow a flush, answers that are
 * kept beside it do not.
 */
export class ReadEpochs<Fork extends object> {
  readonly #epochs = new WeakMap<Fork, { writes: number; flushes: number }>();

  /** Something has changed, or may have. */
  changed(fork: Fork): void {
    this.#of(fork).writes++;
  }

  /** The unit of work was flushed, or is about to be. */
  flushed(fork: Fork): void {
    this.#of(fork).flushes++;
  }

  /** The fork may change what it reads from now on without anybody knowing. */
  untraceable(fork: Fork): void {
    this.#of(fork).writes = NaN;
  }

  /** @returns a moment; equal moments of a fork have nothing between them */
  now(fork: Fork): Moment {
    const { writes, flushes } = this.#of(fork);
    return { writes, flushes };
  }

  /** Whether a query would still return what it did then. */
  isCurrent(fork: Fork, then: Moment): boolean {
    return this.isManagedCurrent(fork, then) && this.#of(fork).flushes === then.flushes;
  }

  /** The same for what is in the identity map, which knows what a flush has written. */
  isManagedCurrent(fork: Fork, then: Moment): boolean {
    // Not a number is not equal to itself: what cannot be traced is never current.
    return this.#of(fork).writes === then.writes;
  }

  #of(fork: Fork): { writes: number; flushes: number } {
    let epoch = this.#epochs.get(fork);
    if (epoch === undefined) {
      epoch = { writes: 0, flushes: 0 };
      this.#epochs.set(fork, epoch);
    }
    return epoch;
  }
}

export interface Moment {
  readonly writes: number;
  readonly flushes: number;
}
