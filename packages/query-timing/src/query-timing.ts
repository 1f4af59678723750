import { fileURLToPath } from 'node:url';
import type { MikroORM } from '@mikro-orm/core';
import { checkedFunction, checkedScope, checkedTags } from './arguments.ts';
import { CallSites } from './call-sites.ts';
import { shown } from './checks.ts';
import { CommentTags } from './comments/comment-tags.ts';
import { commented } from './comments/commented.ts';
import { QueryTimingError } from './errors.ts';
import type { CountedFinding, Finding } from './finding.ts';
import { FindingLog } from './finding-log.ts';
import { ModelFacts } from './findings/model-facts.ts';
import { ScopeAnalysis } from './findings/scope-analysis.ts';
import { Neighbours } from './neighbours.ts';
import type { OpenQuery } from './open-query.ts';
import type { OpenScope } from './open-scope.ts';
import type { QueryTimingOptions } from './options.ts';
import { measureOwnCost } from './own-cost.ts';
import { ParameterDescriber } from './parameters.ts';
import { Plans } from './plans/plans.ts';
import { useAutoExplain } from './plans/auto-explain.ts';
import type { PoolStats } from './pool-stats.ts';
import type { QueryRecord } from './query-record.ts';
import { Recorder, type RecorderHost } from './recorder.ts';
import { findingReport, scopeReport, shapeReport } from './reporting.ts';
import { type ResolvedOptions, resolveOptions } from './resolved-options.ts';
import type { ScopeReport } from './scope.ts';
import { ScopeLog } from './scope-log.ts';
import { Scopes } from './scopes.ts';
import { Seam } from './seam.ts';
import { secretParameters } from './secret-parameters.ts';
import { Shapes } from './shapes.ts';
import { type StatementSource, STATEMENTS } from './statements.ts';
import { Subscribers } from './subscribers.ts';
import { Sums } from './sums.ts';
import { attachTerminal } from './terminal/attach-terminal.ts';
import { idleFinding, longFinding, poolFinding, slowFinding } from './time-findings.ts';
import type { QueryTiming, ScopeOptions, TimingEvents } from './timing.ts';
import type { PoolReport, TimingReport } from './timing-report.ts';

/**
 * Times every query and says what it cost, why, and what to change.
 *
 * ```ts
 * const timing = queryTiming({ slow: 50 });
 * MikroORM.init({ entities: [Book], clientUrl, extensions: [timing] });
 * await timing.run('report', () => makeReport(orm.em.fork()));
 * timing.report().findings;
 * ```
 *
 * One timing is for one ORM.
 * @throws OptionsError for an option that cannot be what was meant
 */
export function queryTiming(options?: QueryTimingOptions): QueryTiming {
  return new Timing(resolveOptions(options));
}

/** Numbers of bytes that are near what V8 takes for what is kept, measured once. */
const BYTES = { shape: 3_000, record: 400, finding: 1_500, base: 250_000 } as const;

/** Indexes are looked at so often at the most, in ms. */
const INSPECT = 60_000;

class Timing implements QueryTiming {
  readonly #options: ResolvedOptions;
  readonly #shapes = new Shapes(table => this.#seam?.entityOf(table));
  readonly #scopeLog: ScopeLog;
  readonly #findings: FindingLog;
  readonly #recorder: Recorder;
  readonly #scopes: Scopes;
  readonly #sites: CallSites;
  readonly #comments: CommentTags | undefined;
  readonly #neighbours: Neighbours;
  readonly #pools: PoolStats[] = [];
  readonly #queries: Subscribers<QueryRecord>;
  readonly #events: { readonly [Name in keyof TimingEvents]: Subscribers<TimingEvents[Name]> };
  readonly #statements: Subscribers<[query: OpenQuery, sql: string, values: readonly unknown[]]>;
  /** For the matchers of tests. */
  readonly [STATEMENTS]: StatementSource = {
    watch: fn => {
      if (this.#seam === undefined) {
        throw new QueryTimingError(
          'NOT_REGISTERED',
          'Queries can be explained as soon as an ORM has the timing, but none has. ' +
            'Give it to one: MikroORM.init({ extensions: [timing] }).',
        );
      }
      return this.#statements.add(([query, sql, values]) => fn(query, sql, values));
    },
    open: clientUrl => this.#seam!.openSide(clientUrl),
  };
  readonly #limits = new Set<{ readonly us: number; readonly fn: Subscribers<ScopeReport> }>();
  #sums = new Sums();
  #since = Date.now();
  #failures = 0;
  #inspectedAt = Number.NEGATIVE_INFINITY;
  #ownCost: number | undefined;
  #seam: Seam | undefined;
  #facts: ModelFacts | undefined;
  #plans: Plans | undefined;
  #detach: (() => void) | undefined;
  #driver: object | undefined;
  #isOpen = false;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    const failed = (): void => void this.#failures++;
    this.#queries = new Subscribers(failed);
    this.#statements = new Subscribers(failed);
    this.#events = {
      scope: new Subscribers(failed),
      finding: new Subscribers(failed),
      connect: new Subscribers(failed),
      connection: new Subscribers(failed),
    };
    this.#findings = new FindingLog(options.baseline);
    this.#scopeLog = new ScopeLog(id => this.#findings.isTold(id));
    this.#sites = new CallSites(fileURLToPath(new URL('.', import.meta.url)), options.callSites?.ignore ?? []);
    this.#comments = options.comments.mode === 'off' ? undefined : new CommentTags(options.comments, failed);
    this.#scopes = new Scopes(
      () =>
        options.nPlusOne === undefined || this.#facts === undefined
          ? undefined
          : new ScopeAnalysis(options.nPlusOne, this.#facts.model, this.#facts),
      scope => this.#scopeEnded(scope),
      failed,
      fork => fork === this.#seam?.globalFork,
    );
    this.#recorder = new Recorder(this.#host(), 'mikrokit:query');
    this.#neighbours = new Neighbours(
      () => this.#recorder.context,
      () => this.#recorder.last,
    );
  }

  register(orm: MikroORM): void {
    if (this.#seam !== undefined && this.#isOpen) {
      throw new QueryTimingError(
        'ARGUMENT',
        'A timing is for one ORM, but was given a second one. Make another: extensions: [queryTiming()].',
      );
    }
    // Those of an ORM that is closed.
    this.#pools.length = 0;
    const seam = new Seam(orm, this.#options.secretColumns);
    const { plans } = this.#options;
    this.#seam = seam;
    this.#facts = new ModelFacts(seam.model);
    seam.install({
      recorder: this.#recorder,
      outgoing: (sql, hasComment, isControl) => this.#outgoing(sql, hasComment, isControl),
      opened: async (_lease, query) => {
        if (plans?.autoExplain === true) {
          try {
            await useAutoExplain(query, this.#options.slow.overall);
          } catch {
            // The connection is given out as it is: what is wrong with it shows with what it is wanted for.
            this.#failures++;
          }
        }
      },
      pool: pool => void this.#pools.push(pool),
      created: (pool, took) => this.#events.connect.tell({ pool, took }),
      released: (pool, wait, use) => {
        if (this.#events.connection.some) {
          this.#events.connection.tell({ pool, wait, use });
        }
      },
      connects: () => this.#open(seam),
      native: pool => void (this.#driver ??= pool),
      notice: message => this.#noticed(message),
      close: () => this.#close(),
    });
    this.#open(seam);
  }

  subscribe(fn: (record: QueryRecord) => void): () => void {
    return this.#queries.add(checkedFunction('subscribe(fn)', fn));
  }

  on<Name extends keyof TimingEvents>(name: Name, fn: (event: TimingEvents[Name]) => void): () => void {
    if (!Object.hasOwn(this.#events, name)) {
      throw new QueryTimingError(
        'ARGUMENT',
        `on(name, fn) knows ${Object.keys(this.#events).join(', ')}, but got: ${shown(name)}. Correct the name.`,
      );
    }
    return this.#events[name].add(checkedFunction('on(name, fn)', fn));
  }

  run<T>(scope: string | ScopeOptions, fn: () => T): T {
    const { name, kind = 'job', tags } = typeof scope === 'string' ? { name: scope } : checkedScope(scope);
    checkedFunction('run(scope, fn)', fn);
    const opened = this.#scopes.open(kind, name);
    const change = tags === undefined ? { scope: opened } : { scope: opened, tags };
    return this.#recorder.runIn(change, () => {
      let returned: T;
      try {
        returned = fn();
      } catch (error) {
        this.#scopes.end(opened);
        throw error;
      }
      // Within the scope: a thenable may begin its work only when it is awaited.
      if (isThenable(returned)) {
        return ending(returned, () => this.#scopes.end(opened)) as T;
      }
      this.#scopes.end(opened);
      return returned;
    });
  }

  rename(name: string): void {
    if (typeof name !== 'string') {
      throw new QueryTimingError(
        'ARGUMENT',
        `rename(name) takes a text, but got: ${shown(name)}. Write rename('GET /books/:id').`,
      );
    }
    this.#recorder.context?.scope?.rename(name);
  }

  withTags<T>(tags: Readonly<Record<string, string>>, fn: () => T): T {
    return this.#recorder.runIn({ tags: checkedTags(tags) }, checkedFunction('withTags(tags, fn)', fn));
  }

  withoutNPlusOne<T>(fn: () => T): T {
    return this.#recorder.runIn({ quiet: true }, checkedFunction('withoutNPlusOne(fn)', fn));
  }

  whenQueryingForLongerThan(ms: number, fn: (scope: ScopeReport) => void): () => void {
    if (typeof ms !== 'number' || !(ms >= 0)) {
      throw new QueryTimingError(
        'ARGUMENT',
        `whenQueryingForLongerThan(ms, fn) takes a time in ms, but got: ${shown(ms)}. Write 500 for half a second.`,
      );
    }
    const limit = { us: ms * 1000, fn: new Subscribers<ScopeReport>(() => void this.#failures++) };
    limit.fn.add(checkedFunction('whenQueryingForLongerThan(ms, fn)', fn));
    this.#limits.add(limit);
    return () => void this.#limits.delete(limit);
  }

  scope(): ScopeReport | undefined {
    const scope = this.#recorder.context?.scope;
    return scope === undefined ? undefined : scopeReport(scope.report());
  }

  report(): TimingReport {
    void this.#inspect();
    this.#ownCost ??= measureOwnCost();
    const plans = this.#plans?.reports() ?? [];
    const planned = new Set(plans.map(({ id }) => id));
    const shapes = [...this.#shapes]
      .filter(({ calls }) => calls > 0)
      .map(entry => shapeReport(entry, planned.has(entry.id) ? entry.id : undefined, this.#plans?.statistics(entry.id)))
      .toSorted((a, b) => b.took - a.took);
    const running = this.#scopes.running().filter(({ queries }) => queries > 0);
    const nodes = this.#sums.nodes();
    return {
      at: Date.now(),
      since: this.#since,
      totals: this.#sums.totals(),
      findings: this.#findings.all().map(findingReport),
      shapes,
      scopes: [...running.map(scope => this.#scopeLog.reportOf(scope)), ...this.#scopeLog.all()].map(scopeReport),
      plans,
      pools: this.pools(),
      nodes: nodes.length > 1 ? nodes : [],
      cache: this.#neighbours.cacheReport(),
      batches: this.#neighbours.batchReport(),
      own: {
        perQuery: this.#ownCost,
        memory:
          BYTES.base +
          this.#shapes.size * BYTES.shape +
          this.#shapes.characters +
          this.#scopeLog.records * BYTES.record +
          this.#findings.size * BYTES.finding +
          plans.reduce((sum, { raw }) => sum + raw.length * 2, 0),
        dropped: { shapes: this.#shapes.dropped, findings: this.#findings.dropped },
        failures: this.#failures,
      },
      seconds: this.#sums.seconds(),
    };
  }

  pools(): readonly PoolReport[] {
    return this.#pools
      .filter(({ acquired, waiting, used }) => acquired + waiting + used > 0)
      .map(pool => pool.report());
  }

  driver(): object | undefined {
    return this.#driver;
  }

  reset(): void {
    this.#shapes.clear();
    this.#scopeLog.clear();
    this.#findings.clear();
    this.#scopes.clear();
    this.#sites.clear();
    this.#neighbours.reset();
    this.#plans?.reset();
    this.#pools.forEach(pool => pool.reset());
    this.#sums = new Sums();
    this.#since = Date.now();
    this.#failures = 0;
    this.#inspectedAt = Number.NEGATIVE_INFINITY;
  }

  async settled(): Promise<void> {
    this.#scopes.endAll();
    await this.#inspect();
    await this.#plans?.idle();
  }

  /** Looks at the indexes that there are and at the server's own figures: now and then, while somebody looks. */
  async #inspect(): Promise<void> {
    const now = performance.now();
    if (
      this.#plans !== undefined &&
      this.#options.advice !== undefined &&
      this.#isOpen &&
      this.#sums.queries > 0 &&
      now - this.#inspectedAt >= INSPECT
    ) {
      this.#inspectedAt = now;
      await this.#plans.inspect();
    }
  }

  #host(): RecorderHost {
    const { slow, callSites, idleInTransaction, longTransaction, parameters } = this.#options;
    const model = (): Seam['model'] => this.#seam!.model;
    return {
      scopes: this.#scopes,
      shapes: this.#shapes,
      statements: this.#statements,
      parameters: new ParameterDescriber(parameters),
      secretsOf: sql => secretParameters(sql, model()),
      slowFrom: ({ entity, shape }) => slow.of(entity, shape.id),
      capture: () => (callSites === undefined ? undefined : this.#sites.capture()),
      sample: callSites?.sample ?? 0,
      failed: () => void this.#failures++,
      idleInTransaction,
      longTransaction,
      slow: (query, sql, values) => this.#slow(query, sql, values),
      idled: query => this.#foundIn(query.owner, idleFinding(query)),
      lasted: query => this.#foundIn(query.owner, longFinding(query)),
      ended: (query, scope) => this.#ended(query, scope),
      found: (scope, finding) => {
        if (scope.isSure(finding)) {
          this.#foundLive(scope, finding);
        }
      },
    };
  }

  #ended(query: OpenQuery, scope: OpenScope): void {
    if (this.#sums.add(query)) {
      this.#secondOver();
    }
    if (this.#queries.some) {
      this.#queries.tell(query);
    }
    if (this.#limits.size > 0) {
      this.#tellOfLong(scope);
    }
  }

  #tellOfLong(scope: OpenScope): void {
    for (const limit of this.#limits) {
      if (scope.took >= limit.us && scope.passed?.has(limit) !== true) {
        (scope.passed ??= new Set()).add(limit);
        limit.fn.tell(scopeReport(scope.report()));
      }
    }
  }

  #secondOver(): void {
    this.#sums.addPools(this.#pools);
    const now = performance.now();
    for (const pool of this.#pools) {
      const window = pool.takeWindow(now);
      if (window !== undefined && window.p95 >= this.#options.poolWait * 1000) {
        this.#found(poolFinding(pool.name, window.p95, window.count, pool.counts?.options?.max));
      }
    }
  }

  #slow(query: OpenQuery, sql: string, values: readonly unknown[]): void {
    const limit = this.#options.slow.of(query.entity, query.shape.id);
    this.#foundIn(query.owner, slowFinding(query, limit));
    const { took, database } = query;
    // What has waited for a connection, or makes many entities, is not mended by a plan.
    if (this.#plans !== undefined && query.error === undefined && database >= limit / 2) {
      this.#plans.consider({ shape: query.shape, sql, values, took, slow: true });
    }
  }

  #noticed(message: string): void {
    if (this.#plans === undefined || !message.includes('Query Text')) {
      return;
    }
    try {
      const text = queryTextOf(message);
      if (text !== undefined) {
        this.#plans.notice(message, { shape: this.#shapes.of(text), took: 0 });
      }
    } catch {
      this.#failures++;
    }
  }

  #outgoing(sql: string, hasComment: boolean, isControl: boolean): string {
    if (this.#comments === undefined || isControl) {
      return sql;
    }
    return commented(sql, hasComment, this.#comments.for(this.#recorder.context?.tags), this.#options.comments.prepend);
  }

  #foundIn(scope: OpenScope | undefined, finding: Finding): void {
    if (this.#found({ ...finding, scope: scope?.name }) !== undefined) {
      scope?.found(finding);
    }
  }

  /** It is counted when the scope is over. */
  #foundLive(scope: OpenScope, finding: Finding): void {
    if (this.#events.finding.some && this.#findings.isTold(finding.id) && scope.told?.has(finding.id) !== true) {
      (scope.told ??= new Set()).add(finding.id);
      this.#events.finding.tell(findingReport(this.#findings.counted({ ...finding, scope: scope.name })));
    }
  }

  #found(finding: Finding, tell = true): CountedFinding | undefined {
    const counted = this.#findings.add(finding);
    if (counted !== undefined && tell && this.#events.finding.some) {
      this.#events.finding.tell(findingReport(counted));
    }
    return counted;
  }

  #scopeEnded(scope: OpenScope): void {
    this.#sums.scopes++;
    for (const finding of scope.repeats) {
      // The other findings were counted when they were made.
      this.#found({ ...finding, scope: scope.name }, scope.told?.has(finding.id) !== true);
    }
    // A fork that has asked once is nothing to look at.
    const isOpened = scope.kind === 'request' || scope.kind === 'job';
    if (isOpened || scope.queries > 1 || scope.findings.length > 0) {
      // Health checks, files, and what the page itself asks would take the places of those that have queried.
      if (scope.queries > 0) {
        this.#scopeLog.add(scope);
      }
      if (this.#events.scope.some) {
        this.#events.scope.tell(scopeReport(this.#scopeLog.reportOf(scope)));
      }
    }
  }

  /** When it is registered, and when the ORM connects again after it was closed. */
  #open(seam: Seam): void {
    if (this.#isOpen) {
      return;
    }
    this.#isOpen = true;
    const { plans, advice, terminal } = this.#options;
    if (plans !== undefined) {
      this.#plans = new Plans(plans, advice, {
        open: seam.openSide,
        model: () => seam.model,
        found: finding => void this.#found(finding),
        failed: () => void this.#failures++,
        shapes: () => this.#shapes,
      });
    }
    this.#neighbours.listen();
    if (terminal !== undefined) {
      this.#detach = attachTerminal(this, terminal);
    }
  }

  async #close(): Promise<void> {
    this.#isOpen = false;
    this.#driver = undefined;
    this.#scopes.endAll();
    this.#neighbours.close();
    this.#detach?.();
    this.#detach = undefined;
    await this.#plans?.close();
  }
}

function queryTextOf(message: string): string | undefined {
  const quoted = /"Query Text":\s*("(?:[^"\\]|\\.)*")/.exec(message)?.[1];
  return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
}

/** With `await`, so that stacks lead through it. */
async function ending<T>(promise: PromiseLike<T>, end: () => void): Promise<T> {
  try {
    return await promise;
  } finally {
    end();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
