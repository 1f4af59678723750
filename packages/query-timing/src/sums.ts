import { Histogram } from './histogram.ts';
import type { OpenQuery } from './open-query.ts';
import type { PoolStats } from './pool-stats.ts';
import type { NodeReport, SecondReport, Totals } from './timing-report.ts';

/** Seconds that are kept. */
const MOST_SECONDS = 300;
const MOST_NODES = 50;
const MOST_REASONS = 50;

interface Second {
  second: number;
  queries: number;
  took: number;
  wait: number;
  waiting: number;
  used: number;
}

interface NodeCounts {
  readonly role: 'primary' | 'replica' | undefined;
  queries: number;
  errors: number;
  took: number;
  readonly times: Histogram;
  readonly reasons: Map<string, number>;
}

/** Sums over all queries, by second and by node. */
export class Sums {
  queries = 0;
  errors = 0;
  rows = 0;
  took = 0;
  wait = 0;
  send = 0;
  database = 0;
  after = 0;
  scopes = 0;
  transactions = 0;
  readonly #nodes = new Map<string, NodeCounts>();
  #seconds: Second[] = [];
  #second: Second | undefined;

  /** @returns whether a second is over */
  add(query: OpenQuery): boolean {
    this.queries++;
    this.took += query.took;
    this.wait += query.wait;
    this.send += query.send;
    this.database += query.database;
    this.after += query.after;
    this.rows += query.rows ?? 0;
    if (query.error !== undefined) {
      this.errors++;
    }
    if (query.shape.control?.begins === true) {
      this.transactions++;
    }
    this.#atNode(query);
    const second = Math.floor(query.start / 1000);
    let current = this.#second;
    const isNext = current === undefined || second > current.second;
    if (isNext) {
      current = { second, queries: 0, took: 0, wait: 0, waiting: 0, used: 0 };
      this.#second = current;
      this.#seconds.push(current);
      if (this.#seconds.length > MOST_SECONDS * 2) {
        this.#seconds = this.#seconds.slice(-MOST_SECONDS);
      }
    }
    current!.queries++;
    current!.took += query.took;
    current!.wait += query.wait;
    return isNext;
  }

  /** What the pools were at the most since it was asked last. */
  addPools(pools: Iterable<PoolStats>): void {
    const current = this.#second;
    if (current === undefined) {
      return;
    }
    for (const pool of pools) {
      const { waiting, used } = pool.takeMost();
      current.waiting = Math.max(current.waiting, waiting);
      current.used = Math.max(current.used, used);
    }
  }

  totals(): Totals {
    const { queries, errors, rows, took, wait, send, database, after, scopes, transactions } = this;
    return { queries, errors, rows, took, wait, send, database, after, scopes, transactions };
  }

  seconds(): readonly SecondReport[] {
    return this.#seconds.slice(-MOST_SECONDS).map(second => ({ ...second }));
  }

  nodes(): readonly NodeReport[] {
    return [...this.#nodes].map(([name, { role, queries, errors, took, times, reasons }]) => ({
      name,
      role,
      queries,
      errors,
      took,
      p50: times.quantile(0.5),
      p95: times.quantile(0.95),
      reasons: Object.fromEntries(reasons),
    }));
  }

  #atNode({ node, role, took, error, route }: OpenQuery): void {
    if (node === undefined) {
      return;
    }
    let counts = this.#nodes.get(node);
    if (counts === undefined) {
      if (this.#nodes.size >= MOST_NODES) {
        return;
      }
      counts = { role, queries: 0, errors: 0, took: 0, times: new Histogram(), reasons: new Map() };
      this.#nodes.set(node, counts);
    }
    counts.queries++;
    counts.took += took;
    counts.times.record(took);
    if (error !== undefined) {
      counts.errors++;
    }
    if (route !== undefined) {
      const before = counts.reasons.get(route);
      if (before !== undefined || counts.reasons.size < MOST_REASONS) {
        counts.reasons.set(route, (before ?? 0) + 1);
      }
    }
  }
}
