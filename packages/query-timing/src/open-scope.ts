import { performance } from 'node:perf_hooks';
import { appended, EMPTY } from './appended.ts';
import type { Finding } from './finding.ts';
import type { ScopeAnalysis } from './findings/scope-analysis.ts';
import type { OpenQuery } from './open-query.ts';
import type { QueryRecord } from './query-record.ts';
import { boundedName } from './bounded-name.ts';
import type { ScopeKind, ScopeReport } from './scope.ts';

/** Most queries of a scope that are kept one by one. */
const MOST_RECORDS = 500;
const MOST_SHAPES = 500;

/** A scope while it runs. */
export class OpenScope {
  readonly id: number;
  readonly kind: ScopeKind;
  /** Looks for repeats while it runs; `undefined` if nobody wants to know. */
  analysis: ScopeAnalysis | undefined;
  name: string;
  /** In ms of `performance.now()`, of the last query. */
  lastAt: number;
  /** The query that was over last. */
  last: OpenQuery | undefined = undefined;
  /** Queries together, in µs. */
  took = 0;
  queries = 0;
  readonly #startedAt: number;
  readonly #isShared: boolean;
  #records: readonly QueryRecord[] = EMPTY;
  /** Made when there is a second one: most forks have one query. */
  #shapes: Set<string> | undefined = undefined;
  #findings: readonly Finding[] = NOTHING;
  #repeats: readonly Finding[] = NOTHING;
  #errors = 0;
  #rows = 0;
  #wait = 0;
  #send = 0;
  #database = 0;
  #after = 0;
  #endedAt: number | undefined;
  /** The limits of `whenQueryingForLongerThan()` that it has passed. */
  passed: Set<object> | undefined = undefined;
  /** Ids of findings that were told of while it ran. */
  told: Set<string> | undefined = undefined;

  /**
   * @param name bounded
   * @param isShared whether what has nothing to do with each other may be in it
   * @param startedAt in ms of `performance.now()`
   */
  constructor(
    id: number,
    kind: ScopeKind,
    name: string,
    analysis: ScopeAnalysis | undefined,
    isShared: boolean,
    startedAt: number,
  ) {
    this.#isShared = isShared;
    this.id = id;
    this.kind = kind;
    this.name = name;
    this.analysis = analysis;
    this.#startedAt = startedAt;
    this.lastAt = startedAt;
  }

  /** A query of it is over. */
  add(query: OpenQuery): void {
    this.queries++;
    this.took += query.took;
    this.#wait += query.wait;
    this.#send += query.send;
    this.#database += query.database;
    this.#after += query.after;
    this.#rows += query.rows ?? 0;
    if (query.error !== undefined) {
      this.#errors++;
    }
    this.last = query;
    if (this.#records.length < MOST_RECORDS) {
      this.#records = appended(this.#records, query);
    }
    if (this.queries > 1) {
      this.#shapes ??= new Set([this.#records[0]!.shape.id]);
      if (this.#shapes.size < MOST_SHAPES) {
        this.#shapes.add(query.shape.id);
      }
    }
  }

  get isOver(): boolean {
    return this.#endedAt !== undefined;
  }

  /** Repeats that were found in it. */
  get repeats(): readonly Finding[] {
    return this.analysis === undefined ? this.#repeats : this.#sure(this.analysis.findings());
  }

  /** Whether a finding of repeats is told of: where what repeats may be of many requests, only what is proved. */
  isSure(finding: Finding): boolean {
    return !this.#isShared || finding.parent?.proved === true;
  }

  #sure(findings: readonly Finding[]): readonly Finding[] {
    return this.#isShared ? findings.filter(finding => this.isSure(finding)) : findings;
  }

  /** Everything that was found in it. */
  get findings(): readonly Finding[] {
    const { repeats } = this;
    return repeats.length + this.#findings.length === 0 ? NOTHING : [...repeats, ...this.#findings];
  }

  /** Its queries that are kept one by one. */
  get kept(): number {
    return this.#records.length;
  }

  forgetRecords(): void {
    this.#records = EMPTY;
  }

  /** Something beside its repeats was found in it. */
  found(finding: Finding): void {
    if (this.#findings.length < MOST_FINDINGS && !this.#findings.some(({ id }) => id === finding.id)) {
      this.#findings = [...this.#findings, finding];
    }
  }

  rename(name: string): void {
    this.name = boundedName(name);
  }

  end(): void {
    this.#endedAt ??= this.kind === 'fork' || this.kind === 'process' ? this.lastAt : performance.now();
    if (this.analysis !== undefined) {
      this.#repeats = this.#sure(this.analysis.findings());
      this.analysis = undefined;
    }
    // What it has told of, and what was over last, is of no use any more.
    this.last = undefined;
  }

  /** What it has come to. */
  report(): ScopeReport {
    const end = this.#endedAt ?? performance.now();
    return {
      id: this.id,
      kind: this.kind,
      name: this.name,
      start: performance.timeOrigin + this.#startedAt,
      took: (end - this.#startedAt) * 1000,
      open: this.#endedAt === undefined,
      queries: this.queries,
      errors: this.#errors,
      rows: this.#rows,
      wait: this.#wait,
      send: this.#send,
      database: this.#database,
      after: this.#after,
      shapes: this.#shapes?.size ?? Math.min(1, this.queries),
      findings: this.findings.map(finding => ({ ...finding, scope: this.name })),
      records: this.#records.toSorted((a, b) => a.start - b.start),
    };
  }
}

const MOST_FINDINGS = 50;
const NOTHING: readonly never[] = [];
