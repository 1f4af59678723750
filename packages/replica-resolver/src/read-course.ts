import type { Node } from './node.ts';
import type { Needs } from './read-needs.ts';

/** How far one read has come. */
export class Course {
  readonly #began: number;
  /** Replicas that could not answer it. */
  readonly tried: Node[] = [];
  /** 1, and one more for each that was made. */
  attempt = 1;
  retriesLeft: number;
  /** No other attempt follows: it is for the server that is surest. */
  last = false;
  /** A replica had not replayed enough. */
  behind = false;
  /** A node had no free connection. */
  full = false;
  /** It writes: a replica has refused it, or one like it before. */
  refused: boolean;
  readonly learned: boolean;

  #needs: Needs | undefined;

  /** @param began in ms of `performance.now()` @param needs if they were looked at already */
  constructor(began: number, learned: boolean, retries: number, needs?: Needs) {
    this.#began = began;
    this.#needs = needs;
    this.learned = learned;
    this.refused = learned;
    this.retriesLeft = retries;
  }

  /** Whoever was tried may be tried again. */
  anew(): void {
    this.tried.length = 0;
    this.last = false;
  }

  /** What it was found to need a moment ago: once, since what it needs may change. */
  takeNeeds(): Needs | undefined {
    const needs = this.#needs;
    this.#needs = undefined;
    return needs;
  }

  /** In ms. */
  get took(): number {
    return performance.now() - this.#began;
  }
}
