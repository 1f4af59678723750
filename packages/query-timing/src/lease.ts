import type { CallSite } from './call-site.ts';
import type { OpenScope } from './open-scope.ts';
import type { PoolStats } from './pool-stats.ts';

/** A physical connection, as it is given out and given back again. */
export class Lease {
  readonly pool: PoolStats;
  /** In ms of `performance.now()`; 0 while it is idle in the pool. */
  acquiredAt = 0;
  /** When its last statement was answered. */
  quietSince = 0;
  /** Number of the transaction that is open on it. */
  transaction: number | undefined = undefined;
  transactionAt = 0;
  /** Statements of the transaction. */
  statements = 0;
  /** Who holds it. */
  scope: OpenScope | undefined = undefined;
  /** Of its last statement. */
  summary = '';
  site: CallSite | undefined = undefined;
  /** For it, in ms. */
  waited = 0;
  /** Nothing was sent on it since it was given out. */
  isFresh = false;

  constructor(pool: PoolStats) {
    this.pool = pool;
  }

  acquired(now: number, waited: number): void {
    this.acquiredAt = now;
    this.waited = waited;
    this.isFresh = true;
    this.quietSince = 0;
    this.summary = '';
    this.scope = undefined;
    this.site = undefined;
  }

  released(): void {
    this.acquiredAt = 0;
    this.transaction = undefined;
    this.scope = undefined;
  }
}
