import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Emit } from './cluster.ts';
import type { Consistency } from './consistency.ts';
import { FallbackBudget, FallbackRefused } from './fallback-budget.ts';
import { held } from './held.ts';
import { noEligibleNode } from './no-eligible-node.ts';
import type { Node } from './node.ts';
import type { ResolvedOptions } from './options.ts';
import type { Course } from './read-course.ts';

/** When everybody is busy, it is tried again after this, in ms. */
const BUSY = 20;

/** Where a read goes that replicas should have answered. */
export type Fallback =
  /** The primary. `released` is to be called when the read is over. */
  | { readonly primary: Node; readonly released: () => void }
  /** A replica that is late. */
  | { readonly stale: Node };

/** Reads that no replica answers: the primary, within a budget that leaves room for writes, or whoever comes back first. */
export class FallbackReads {
  readonly #cluster: Cluster;
  readonly #options: ResolvedOptions;
  readonly #emit: Emit;
  readonly budget: FallbackBudget;

  constructor(cluster: Cluster, options: ResolvedOptions, emit: Emit) {
    this.#cluster = cluster;
    this.#options = options;
    this.#emit = emit;
    this.budget = new FallbackBudget({ limit: () => this.limit, maxWait: options.fallbackWait, maxQueue: 1_000 });
  }

  /** How many of the primary's connections they may take. */
  get limit(): number {
    return Math.ceil(this.#options.fallbackShare * (this.#cluster.primary?.pool.max ?? 0));
  }

  /** The primary, waited for if there is none. @throws NO_ELIGIBLE_NODE */
  async primary(course: Course): Promise<Node> {
    while (this.#cluster.primary === undefined) {
      await this.#change(course);
    }
    return this.#cluster.primary;
  }

  /** @returns `undefined`: replicas may be asked again @throws NO_ELIGIBLE_NODE */
  async find(consistency: Consistency, course: Course): Promise<Fallback | undefined> {
    if (this.#options.onNoReplica !== 'error' && this.#cluster.primary !== undefined) {
      try {
        return await this.#placeOnPrimary();
      } catch (error) {
        if (!(error instanceof FallbackRefused)) {
          throw error;
        }
        return await this.#otherwise(consistency, course, error);
      }
    }
    return await this.#otherwise(consistency, course, undefined);
  }

  async #placeOnPrimary(): Promise<Fallback | undefined> {
    const { budget, limit } = this;
    if (budget.inUse >= limit) {
      this.#emit('fallback.budget', { inUse: budget.inUse, limit, refused: false });
    }
    let released: () => void;
    try {
      released = await budget.acquire();
    } catch (error) {
      this.#emit('fallback.budget', { inUse: budget.inUse, limit: this.limit, refused: true });
      throw error;
    }
    const { primary } = this.#cluster;
    if (primary === undefined) {
      released();
      return undefined;
    }
    return { primary, released };
  }

  async #otherwise(
    consistency: Consistency,
    course: Course,
    refused: FallbackRefused | undefined,
  ): Promise<Fallback | undefined> {
    const stale = this.#leastBehind(consistency);
    if (stale !== undefined) {
      return { stale };
    }
    // Nothing is wrong but that all are busy: they will not be for ever.
    if (course.full && this.#cluster.servable.length > 0 && course.took < this.#options.readDeadline) {
      await sleep(BUSY);
      course.anew();
      return undefined;
    }
    if (this.#options.onNoReplica === 'error' || this.#cluster.primary !== undefined) {
      throw noEligibleNode(this.#cluster, refused);
    }
    await this.#change(course);
    return undefined;
  }

  /** For reads that promised nothing, where that is wanted. */
  #leastBehind(consistency: Consistency): Node | undefined {
    if (this.#options.onNoReplica !== 'stale' || consistency !== 'eventual') {
      return undefined;
    }
    return [...this.#cluster.nodes]
      .filter(node => node.health.state === 'lagging' && node.rejected === undefined)
      .sort((a, b) => (a.lag ?? Number.POSITIVE_INFINITY) - (b.lag ?? Number.POSITIVE_INFINITY))[0];
  }

  /** Waits until there is another primary or replica. @throws NO_ELIGIBLE_NODE when that takes longer than `writeHold` */
  async #change(course: Course): Promise<void> {
    const left = this.#options.writeHold - course.took;
    if (left <= 0) {
      throw noEligibleNode(this.#cluster);
    }
    const over = new AbortController();
    const late = sleep(left, undefined, { signal: over.signal }).catch(() => undefined);
    await held(Promise.race([this.#cluster.nextChange(), late]));
    over.abort();
    course.anew();
  }
}
