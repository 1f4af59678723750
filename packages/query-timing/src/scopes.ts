import { performance } from 'node:perf_hooks';
import { boundedName } from './bounded-name.ts';
import type { ScopeAnalysis } from './findings/scope-analysis.ts';
import { ForkScopes } from './fork-scopes.ts';
import { OpenScope } from './open-scope.ts';
import type { ScopeKind } from './scope.ts';

/** A fork that was not heard of for so long is over, in ms: forks have no end of their own. */
const IDLE = 1_000;
/** A query that comes so long after the one before is of something else: of the next message, or request. In ms. */
const PAUSE = 50;

/** Makes scopes, and ends those of forks. */
export class Scopes {
  readonly #forks = new ForkScopes();
  readonly #analyse: () => ScopeAnalysis | undefined;
  readonly #ended: (scope: OpenScope) => void;
  readonly #failed: (error: unknown) => void;
  readonly #isShared: (fork: number) => boolean;
  #process: OpenScope | undefined;
  #next = 1;
  #sweep: NodeJS.Timeout | undefined;

  /**
   * @param analyse what looks for repeats in a new one
   * @param ended told of each that is over
   * @param failed told of what goes wrong in that
   * @param isShared whether a fork is that of all requests: the global EntityManager
   */
  constructor(
    analyse: () => ScopeAnalysis | undefined,
    ended: (scope: OpenScope) => void,
    failed: (error: unknown) => void,
    isShared: (fork: number) => boolean = () => false,
  ) {
    this.#isShared = isShared;
    this.#analyse = analyse;
    this.#ended = ended;
    this.#failed = failed;
  }

  get opened(): number {
    return this.#next - 1;
  }

  /** One that is ended by {@link end}. */
  open(kind: ScopeKind, name: string): OpenScope {
    return this.#make(kind, boundedName(name), false, performance.now());
  }

  /**
   * Of a query outside of any that was opened: that of its fork, else of the process.
   * @param begunAt when it began, in ms of `performance.now()`
   * @param now the same of now
   */
  of(fork: number | undefined, begunAt: number, now: number): OpenScope {
    let scope = fork === undefined ? this.#process : this.#forks.get(fork);
    if (scope !== undefined && begunAt - scope.lastAt > PAUSE) {
      // First out of what runs: who is told of its end may ask for a report.
      this.#forget(fork);
      this.end(scope);
      scope = undefined;
    }
    if (scope === undefined) {
      scope =
        fork === undefined
          ? this.#make('process', 'process', true, now)
          : this.#make('fork', `fork ${fork}`, this.#isShared(fork), now);
      if (fork === undefined) {
        this.#process = scope;
      } else {
        const gone = this.#forks.add(fork, scope);
        if (gone !== undefined) {
          this.end(gone);
        }
      }
      // Not for each query: one that comes later finds the timer there.
      this.#sweep ??= setTimeout(() => this.#sweepForks(), IDLE).unref();
    }
    scope.lastAt = now;
    return scope;
  }

  end(scope: OpenScope): void {
    if (scope.isOver) {
      return;
    }
    try {
      scope.end();
      this.#ended(scope);
    } catch (error) {
      // A mistake of ours is no reason for what has run in it to fail.
      this.#failed(error);
    }
  }

  /** Ends those that no one else ends. */
  endAll(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    this.#endIdle(Number.POSITIVE_INFINITY);
  }

  /** Those that run outside of what was opened. */
  running(): readonly OpenScope[] {
    return [...this.#forks.all(), ...(this.#process === undefined ? [] : [this.#process])];
  }

  /** Forgets them without telling. */
  clear(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    this.#forks.clear();
    this.#process = undefined;
  }

  #make(kind: ScopeKind, name: string, isShared: boolean, now: number): OpenScope {
    return new OpenScope(this.#next++, kind, name, this.#analyse(), isShared, now);
  }

  #forget(fork: number | undefined): void {
    if (fork === undefined) {
      this.#process = undefined;
    } else {
      this.#forks.delete(fork);
    }
  }

  #sweepForks(): void {
    this.#sweep = undefined;
    this.#endIdle(performance.now() - IDLE);
    if (this.#forks.size > 0 || this.#process !== undefined) {
      this.#sweep = setTimeout(() => this.#sweepForks(), IDLE).unref();
    }
  }

  #endIdle(since: number): void {
    this.#forks.takeIdle(since).forEach(scope => this.end(scope));
    if (this.#process !== undefined && this.#process.lastAt <= since) {
      const scope = this.#process;
      this.#process = undefined;
      this.end(scope);
    }
  }
}
