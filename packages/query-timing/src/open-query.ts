import { performance } from 'node:perf_hooks';
import type { CallSite } from './call-site.ts';
import type { Context } from './context.ts';
import type { Lease } from './lease.ts';
import type { OpenScope } from './open-scope.ts';
import type { PoolStats } from './pool-stats.ts';
import type { QueryRecord } from './query-record.ts';
import type { ShapeText } from './shapes.ts';

/** Who is told of the ends of queries. */
export interface QueryEnds {
  ended(query: OpenQuery): void;
}

/** Until it is over, what is known of a query only; then its record, which lets go of all the rest. */
export class OpenQuery implements QueryRecord {
  id: number;
  shape: ShapeText;
  entity: string | undefined;
  operation: string | undefined;
  start: number;
  wait = 0;
  send = 0;
  database = 0;
  after = 0;
  took = 0;
  rows: number | undefined = undefined;
  error: string | undefined = undefined;
  node: string | undefined = undefined;
  role: 'primary' | 'replica' | undefined = undefined;
  fork: number | undefined;
  scope: number | undefined = undefined;
  transaction: number | undefined = undefined;
  label: string | undefined;
  site: CallSite | undefined = undefined;
  parameters: readonly string[] | undefined = undefined;
  batch: number | undefined = undefined;
  cache: string | undefined = undefined;
  route: string | undefined = undefined;
  /** For how long its transaction did nothing before it, in ms, and after what. */
  idled = 0;
  before = '';
  /** For how long the transaction that it has ended was open, in ms. */
  lasted = 0;
  /** The how manieth statement of its transaction it is. */
  place = 0;
  /** For how long its reader has kept a stream waiting, in ms. */
  paused = 0;
  /** In ms of `performance.now()`: when it began, was written, and answered. */
  begunAt: number;
  sentAt = 0;
  answeredAt = 0;
  // Private: whoever writes a record as JSON while it is open must not get values and rows.
  #context: Context | undefined;
  #owner: OpenScope | undefined = undefined;
  #logContext: LogContext | undefined = undefined;
  #answer: Answer | undefined = undefined;
  #pool: PoolStats | undefined = undefined;
  readonly #ends: QueryEnds;
  #isOver = false;
  #isLeft = false;

  constructor(id: number, shape: ShapeText, begunAt: number, context: Context | undefined, ends: QueryEnds) {
    this.id = id;
    this.shape = shape;
    this.begunAt = begunAt;
    this.start = performance.timeOrigin + begunAt;
    this.entity = context?.operation?.entity ?? shape.entity;
    const name = context?.operation?.name;
    // What is done in a transaction has a name of its own.
    this.operation = name === 'transactional' ? undefined : name;
    this.fork = context?.operation?.fork;
    this.label = undefined;
    this.#context = context;
    this.#ends = ends;
  }

  /** Set while it is open. */
  get context(): Context | undefined {
    return this.#context;
  }

  set context(context: Context | undefined) {
    this.#context = context;
  }

  /** The scope it is counted in; set while it is open. */
  get owner(): OpenScope | undefined {
    return this.#owner;
  }

  set owner(owner: OpenScope | undefined) {
    this.#owner = owner;
  }

  /** What MikroORM hands to its logger; set while it is open. */
  get logContext(): LogContext | undefined {
    return this.#logContext;
  }

  set logContext(logContext: LogContext | undefined) {
    this.#logContext = logContext;
  }

  /** That of the connection it was handed to; set while it is open. */
  get pool(): PoolStats | undefined {
    return this.#pool;
  }

  set pool(pool: PoolStats | undefined) {
    this.#pool = pool;
  }

  /** Set from its answer to its end. */
  get answer(): Answer | undefined {
    return this.#answer;
  }

  set answer(answer: Answer | undefined) {
    this.#answer = answer;
  }

  /** @param at in ms of `performance.now()` */
  beganAt(at: number): void {
    this.begunAt = at;
    this.start = performance.timeOrigin + at;
  }

  get isAnswered(): boolean {
    return this.answeredAt !== 0;
  }

  /** Its caller waits no longer, though it was not answered (an `AbortSignal`). */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** Its caller has what it asked for, or has left. */
  end(): void {
    if (this.answeredAt === 0) {
      this.#isLeft = true;
    }
    if (this.#isOver || this.answeredAt === 0) {
      return;
    }
    this.#isOver = true;
    const now = performance.now();
    this.after = (now - this.answeredAt + this.paused) * 1000;
    this.took = (now - this.begunAt) * 1000;
    this.#ends.ended(this);
    this.#context = undefined;
    this.#logContext = undefined;
    this.#owner = undefined;
    this.#answer = undefined;
    this.#pool = undefined;
  }
}

/** What came back, while it is looked at. */
export interface Answer {
  readonly lease: Lease;
  /** As it was sent, and the values that were sent beside it. */
  readonly sql: string;
  readonly sent: readonly unknown[];
  /** Of its placeholders. */
  readonly values: readonly unknown[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** What MikroORM hands to its logger with a query, as far as it is used here. */
export interface LogContext {
  readonly query?: string;
  readonly params?: readonly unknown[];
  readonly id?: number;
  readonly label?: string;
  /** The text with its literals, as it is to be sent. */
  readonly formatted?: string;
  readonly connection?: { readonly type?: string; readonly name?: string };
}
