import { AsyncLocalStorage } from 'node:async_hooks';
import type { CallSite } from '../call-site.ts';
import { mapped } from '../call-sites.ts';
import { shown } from '../checks.ts';
import { QueryTimingError } from '../errors.ts';
import type { Finding } from '../finding.ts';
import type { QueryRecord } from '../query-record.ts';
import type { QueryTiming } from '../timing.ts';

/** What is counted. */
export interface QueryCountOptions {
  /** Whether begin, commit, rollback and savepoints count, too. @default false */
  readonly transactions?: boolean;
}

/** The queries that a function has run. */
export interface QueryRun<T = unknown> {
  /** What the function returned. */
  readonly result: T;
  readonly count: number;
  /** Statements of transaction control that are not in `count`. */
  readonly uncounted: number;
  /** By shape, in the order of the first of each; the first thousand. */
  readonly groups: readonly QueryGroup[];
  /** Of its own scope and of those that were opened within. */
  readonly findings: readonly Finding[];
}

/** Queries that are the same but for their values. */
export interface QueryGroup {
  /** `id` of the shape. */
  readonly shape: string;
  readonly text: string;
  readonly count: number;
  readonly failed: number;
  /** Where they were called, each place once, the first three. Of a query that is alone it is known if it was sampled. */
  readonly sites: readonly CallSite[];
}

const MOST_GROUPS = 1_000;
const MOST_SITES = 3;

/** As far as a run has a `QueryTiming`. */
export type RunTiming = Pick<QueryTiming, 'run' | 'scope' | 'subscribe' | 'on'>;

/**
 * Runs a function, and counts the queries that it has waited for: of the ORM that the timing was given to, and of scopes
 * opened within, too. Works in any test runner.
 *
 * ```ts
 * const { count, groups } = await recordQueries(timing, () => listBooks(orm.em.fork()));
 * ```
 *
 * Trap: what a server in the same process asks for a request that comes by a socket is not the function's.
 * @throws what `fn` throws
 */
export async function recordQueries<T>(
  timing: RunTiming,
  fn: () => T,
  options: QueryCountOptions & { readonly name?: string } = {},
): Promise<QueryRun<Awaited<T>>> {
  const watched = new WatchedRun(timing, options);
  try {
    return await watched.run(fn);
  } finally {
    watched.stop();
  }
}

/** A run that others may look at while it goes on. */
export class WatchedRun {
  readonly #timing: RunTiming;
  readonly #options: QueryCountOptions & { readonly name?: string };
  /** Tells the queries of scopes that were opened within. */
  readonly #within = new AsyncLocalStorage<true>();
  readonly #scopes = new Set<number>();
  readonly #groups = new Map<string, { -readonly [Key in keyof QueryGroup]: QueryGroup[Key] }>();
  readonly #findings = new Map<string, Finding>();
  readonly #ends: readonly (() => void)[];
  #count = 0;
  #uncounted = 0;

  constructor(timing: RunTiming, options: QueryCountOptions & { readonly name?: string }) {
    this.#timing = timing;
    this.#options = options;
    this.#ends = [
      timing.subscribe(record => this.#add(record)),
      timing.on('scope', ({ id, findings }) => {
        if (this.#scopes.has(id)) {
          for (const finding of findings) {
            this.#findings.set(finding.id, finding);
          }
        }
      }),
    ];
  }

  /** Whether a query is of this run. */
  has({ scope }: QueryRecord): boolean {
    return (scope !== undefined && this.#scopes.has(scope)) || this.#within.getStore() === true;
  }

  async run<T>(fn: () => T): Promise<QueryRun<Awaited<T>>> {
    if (typeof fn !== 'function') {
      throw new QueryTimingError(
        'ARGUMENT',
        `Queries are counted of a function, but got: ${shown(fn)}. Write () => … around what is to be counted.`,
      );
    }
    const result = await this.#timing.run(this.#options.name ?? 'a test', () =>
      this.#within.run(true, async () => {
        const id = this.#timing.scope()?.id;
        if (id !== undefined) {
          this.#scopes.add(id);
        }
        return await fn();
      }),
    );
    return {
      result,
      count: this.#count,
      uncounted: this.#uncounted,
      groups: Array.from(this.#groups.values(), group => ({ ...group, sites: group.sites.map(mapped) })),
      findings: [...this.#findings.values()],
    };
  }

  stop(): void {
    for (const end of this.#ends) {
      end();
    }
  }

  #add(record: QueryRecord): void {
    if (!this.has(record)) {
      return;
    }
    if (record.scope !== undefined) {
      this.#scopes.add(record.scope);
    }
    const { id, text, kind } = record.shape;
    if (kind === 'transaction' && this.#options.transactions !== true) {
      this.#uncounted++;
      return;
    }
    this.#count++;
    let group = this.#groups.get(id);
    if (group === undefined) {
      if (this.#groups.size >= MOST_GROUPS) {
        return;
      }
      group = { shape: id, text, count: 0, failed: 0, sites: [] };
      this.#groups.set(id, group);
    }
    group.count++;
    group.failed += record.error === undefined ? 0 : 1;
    const { site } = record;
    if (site !== undefined && group.sites.length < MOST_SITES && !group.sites.some(each => isSame(each, site))) {
      group.sites = [...group.sites, site];
    }
  }
}

function isSame(a: CallSite, b: CallSite): boolean {
  return a.file === b.file && a.line === b.line && a.function === b.function;
}
