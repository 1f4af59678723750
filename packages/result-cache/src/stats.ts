/** What `cache.stats()` returns: sums since the process began, or since `reset`. */
export interface CacheStats {
  readonly hits: number;
  /** Of the hits, those from the copy in this process (a store with two tiers). */
  readonly localHits: number;
  /** Of the hits, those whose TTL was over. */
  readonly staleHits: number;
  readonly misses: number;
  /** Misses by reason: absent, expired, invalidated, pending, damaged. */
  readonly missReasons: Readonly<Record<string, number>>;
  readonly fills: number;
  readonly bypasses: number;
  /** Reads that went past the cache, by reason. */
  readonly bypassReasons: Readonly<Record<string, number>>;
  /** Commits and statements that made entries invalid. */
  readonly invalidations: number;
  readonly storeErrors: number;
  /** Hits of all reads that may be cached, from 0 to 1; 0 before the first. */
  readonly hitRate: number;
  /** What the store holds in this process. */
  readonly bytes: number;
  readonly entries: number;
  /** Mean time of a hit, of the database at a miss, and of the store for a commit; ms. */
  readonly latencies: { readonly hit: number; readonly fill: number; readonly invalidation: number };
}

/** Counts; what it knows of reasons is bounded by the reasons there are. */
export class Counters {
  hits = 0;
  localHits = 0;
  staleHits = 0;
  misses = 0;
  fills = 0;
  bypasses = 0;
  invalidations = 0;
  storeErrors = 0;
  hitTime = 0;
  fillTime = 0;
  invalidationTime = 0;
  readonly #missReasons = new Map<string, number>();
  readonly #bypassReasons = new Map<string, number>();

  miss(reason: string): void {
    this.misses += 1;
    this.#missReasons.set(reason, (this.#missReasons.get(reason) ?? 0) + 1);
  }

  bypass(reason: string): void {
    this.bypasses += 1;
    // A reason may name a function of the statement.
    const name = this.#bypassReasons.has(reason) || this.#bypassReasons.size < MOST_REASONS ? reason : 'other';
    this.#bypassReasons.set(name, (this.#bypassReasons.get(name) ?? 0) + 1);
  }

  snapshot(size: { readonly bytes: number; readonly entries: number }): CacheStats {
    const reads = this.hits + this.misses;
    return {
      hits: this.hits,
      localHits: this.localHits,
      staleHits: this.staleHits,
      misses: this.misses,
      missReasons: Object.fromEntries(this.#missReasons),
      fills: this.fills,
      bypasses: this.bypasses,
      bypassReasons: Object.fromEntries(this.#bypassReasons),
      invalidations: this.invalidations,
      storeErrors: this.storeErrors,
      hitRate: reads === 0 ? 0 : this.hits / reads,
      bytes: size.bytes,
      entries: size.entries,
      latencies: {
        hit: mean(this.hitTime, this.hits),
        fill: mean(this.fillTime, this.fills),
        invalidation: mean(this.invalidationTime, this.invalidations),
      },
    };
  }
}

const MOST_REASONS = 50;

function mean(sum: number, count: number): number {
  return count === 0 ? 0 : sum / count;
}
