/** At most so many in a minute, at once or spread. */
export class TokenBucket {
  readonly #perMinute: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** @param now in ms, never backwards */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#tokens = perMinute;
    this.#at = now();
  }

  /** @returns whether there was one */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) {
      return false;
    }
    this.#tokens -= 1;
    return true;
  }

  /** How many there are. */
  left(): number {
    this.#fill();
    return this.#tokens;
  }

  /** Until there is one, in ms. */
  wait(): number {
    this.#fill();
    return Math.max(0, Math.ceil(((1 - this.#tokens) * 60_000) / this.#perMinute));
  }

  #fill(): void {
    const now = this.#now();
    this.#tokens = Math.min(this.#perMinute, this.#tokens + ((now - this.#at) * this.#perMinute) / 60_000);
    this.#at = now;
  }
}
