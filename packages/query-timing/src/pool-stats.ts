import { performance } from 'node:perf_hooks';
import { Histogram } from './histogram.ts';
import type { Lease } from './lease.ts';
import type { PoolReport } from './timing-report.ts';

/** What a pool of pg tells of itself. */
export interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly options?: { readonly max?: number; readonly min?: number };
}

const MOST_HOLDERS = 10;
/** A window has to have so many waits before its percentile says something. */
const ENOUGH = 20;
const WINDOW = 60_000;

/** Who waits for, and who holds, the connections of one of MikroORM's connections. */
export class PoolStats {
  name: string;
  readonly role: 'primary' | 'replica';
  /** The pool itself, where it can be had. */
  counts: PoolCounts | undefined = undefined;
  waiting = 0;
  acquired = 0;
  created = 0;
  timeouts = 0;
  readonly #held = new Set<Lease>();
  readonly #waits = new Histogram();
  readonly #uses = new Histogram();
  readonly #window = new Histogram();
  #windowSince: number | undefined = undefined;
  #mostWaiting = 0;
  #mostUsed = 0;

  constructor(name: string, role: 'primary' | 'replica') {
    this.name = name;
    this.role = role;
  }

  get used(): number {
    return this.#held.size;
  }

  asked(): void {
    this.waiting++;
    if (this.waiting > this.#mostWaiting) {
      this.#mostWaiting = this.waiting;
    }
  }

  /** @param wait in ms */
  given(lease: Lease, now: number, wait: number): void {
    this.waiting--;
    this.acquired++;
    this.#waits.record(wait * 1000);
    this.#window.record(wait * 1000);
    this.#windowSince ??= now;
    lease.acquired(now, wait);
    this.#held.add(lease);
    if (this.#held.size > this.#mostUsed) {
      this.#mostUsed = this.#held.size;
    }
  }

  /** It could not be given. @param timedOut rather than that the server could not be reached */
  refused(timedOut: boolean): void {
    this.waiting--;
    if (timedOut) {
      this.timeouts++;
    }
  }

  takenBack(lease: Lease, now: number): void {
    if (this.#held.delete(lease)) {
      this.#uses.record((now - lease.acquiredAt) * 1000);
      lease.released();
    }
  }

  /** The most since it was asked last. */
  takeMost(): { readonly waiting: number; readonly used: number } {
    const most = { waiting: this.#mostWaiting, used: this.#mostUsed };
    this.#mostWaiting = this.waiting;
    this.#mostUsed = this.#held.size;
    return most;
  }

  /**
   * The 95th percentile of the last minute's waits, in µs, once in a minute.
   * @returns `undefined` for too few, or when it is not time yet
   */
  takeWindow(now: number): { readonly p95: number; readonly count: number } | undefined {
    if (this.#windowSince === undefined || now - this.#windowSince < WINDOW) {
      return undefined;
    }
    const { count } = this.#window;
    const p95 = this.#window.quantile(0.95);
    this.#windowSince = now;
    this.#window.reset();
    return count < ENOUGH ? undefined : { p95, count };
  }

  report(): PoolReport {
    const total = this.counts?.totalCount;
    // Where another extension answers for a pool, it has several of its own: these are not its limits.
    const limits =
      this.counts === undefined || Object.hasOwn(this.counts, 'totalCount') ? undefined : this.counts.options;
    return {
      name: this.name,
      role: this.role,
      max: limits?.max,
      min: limits?.min,
      used: this.used,
      idle: this.counts?.idleCount ?? Math.max(0, (total ?? this.used) - this.used),
      waiting: this.waiting,
      waitP50: this.#waits.quantile(0.5),
      waitP95: this.#waits.quantile(0.95),
      waitMax: this.#waits.max,
      useP95: this.#uses.quantile(0.95),
      acquired: this.acquired,
      created: this.created,
      timeouts: this.timeouts,
      holders: [...this.#held]
        .toSorted((a, b) => a.acquiredAt - b.acquiredAt)
        .slice(0, MOST_HOLDERS)
        .map(lease => ({
          since: performance.timeOrigin + lease.acquiredAt,
          scope: lease.scope?.name,
          summary: lease.summary,
          site: lease.site,
        })),
    };
  }

  reset(): void {
    this.#waits.reset();
    this.#uses.reset();
    this.#window.reset();
    this.acquired = 0;
    this.created = 0;
    this.timeouts = 0;
  }
}
