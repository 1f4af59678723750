import type { OpenScope } from './open-scope.ts';

/** A power of two. */
const SETS = 256;
/** Forks whose scopes may run at the same time in one set. */
const WAYS = 4;

/**
 * The scopes of forks, by the number of the fork: a set-associative cache of 1 024, as processors have them. What comes and goes
 * with each request costs neither a hash nor memory here, and a fork that is heard of again and again keeps its place.
 */
export class ForkScopes {
  readonly #scopes: (OpenScope | undefined)[] = Array.from({ length: SETS * WAYS }, () => undefined);
  /** The fork of each. */
  readonly #forks = new Float64Array(SETS * WAYS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(fork: number): OpenScope | undefined {
    const first = firstOf(fork);
    for (let place = first; place < first + WAYS; place++) {
      const scope = this.#scopes[place];
      if (scope !== undefined && this.#forks[place] === fork) {
        return scope;
      }
    }
    return undefined;
  }

  /** @param fork one that has none @returns the one that has to go for it: that which was not heard of for the longest time */
  add(fork: number, scope: OpenScope): OpenScope | undefined {
    const first = firstOf(fork);
    let oldest = first;
    for (let place = first; place < first + WAYS; place++) {
      const there = this.#scopes[place];
      if (there === undefined) {
        this.#size++;
        this.#put(place, fork, scope);
        return undefined;
      }
      if (there.lastAt < this.#scopes[oldest]!.lastAt) {
        oldest = place;
      }
    }
    const gone = this.#scopes[oldest];
    this.#put(oldest, fork, scope);
    return gone;
  }

  delete(fork: number): void {
    const first = firstOf(fork);
    for (let place = first; place < first + WAYS; place++) {
      if (this.#forks[place] === fork && this.#scopes[place] !== undefined) {
        this.#scopes[place] = undefined;
        this.#size--;
      }
    }
  }

  clear(): void {
    this.#scopes.fill(undefined);
    this.#size = 0;
  }

  all(): readonly OpenScope[] {
    return this.#size === 0 ? [] : this.#scopes.filter(scope => scope !== undefined);
  }

  /** Takes out those that were not heard of since then. @param since in ms of `performance.now()` */
  takeIdle(since: number): readonly OpenScope[] {
    const idle: OpenScope[] = [];
    for (let place = 0; this.#size > 0 && place < this.#scopes.length; place++) {
      const scope = this.#scopes[place];
      if (scope !== undefined && scope.lastAt <= since) {
        this.#scopes[place] = undefined;
        this.#size--;
        idle.push(scope);
      }
    }
    return idle;
  }

  #put(place: number, fork: number, scope: OpenScope): void {
    this.#scopes[place] = scope;
    this.#forks[place] = fork;
  }
}

function firstOf(fork: number): number {
  return (fork & (SETS - 1)) * WAYS;
}
