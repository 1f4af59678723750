import { AsyncLocalStorage } from 'node:async_hooks';
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { boundedName } from './bounded-name.ts';
import { Context } from './context.ts';
import { errorClass } from './error-class.ts';
import { judge, type JudgeHost } from './judge.ts';
import type { Lease } from './lease.ts';
import { type LogContext, OpenQuery, type QueryEnds } from './open-query.ts';
import type { OpenScope } from './open-scope.ts';
import { Operation } from './operation.ts';
import type { PoolStats } from './pool-stats.ts';
import type { Scopes } from './scopes.ts';
import type { Shapes, ShapeText } from './shapes.ts';
import { type TransactionLimits, Transactions } from './transactions.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** What the recorder asks of the rest. */
export interface RecorderHost extends TransactionLimits, JudgeHost {
  readonly scopes: Scopes;
  readonly shapes: Shapes;
  /** Something that is not the query's own has failed. */
  failed(error: unknown): void;
  /** A query is over: what else is to be told. */
  ended(query: OpenQuery, scope: OpenScope): void;
}

const NONE: readonly never[] = [];
/** Calls that make entities of the rows that they read. */
const MAKES_ENTITIES: ReadonlySet<string> = new Set(['find', 'findOne']);

/**
 * Follows each query from where MikroORM hands it to its connection to where its caller has what it asked for. Everything
 * that is done for each query is here and in what it calls: it has to be cheap, and must never throw.
 */
export class Recorder implements QueryEnds {
  readonly #host: RecorderHost;
  readonly #storage = new AsyncLocalStorage<Context>();
  readonly #transactions: Transactions;
  readonly #channel: TracingChannel<unknown, OpenQuery>;
  /** The query that was over last, of whichever scope. */
  last: OpenQuery | undefined = undefined;
  #nextQuery = 1;
  #nextOperation = 1;

  /** @param channel where each query is published */
  constructor(host: RecorderHost, channel: string) {
    this.#host = host;
    this.#transactions = new Transactions(host);
    this.#channel = tracingChannel(channel);
  }

  get context(): Context | undefined {
    return this.#storage.getStore();
  }

  /** Runs `fn` with another scope, other tags, or quiet. */
  runIn<T>(change: Partial<Pick<Context, 'scope' | 'tags' | 'quiet'>>, fn: () => T): T {
    const outer = this.#storage.getStore();
    const scope = change.scope ?? outer?.scope;
    const context = new Context(
      scope,
      // A scope of its own is not part of the call that it was begun in.
      change.scope === undefined ? outer?.operation : undefined,
      change.tags === undefined ? outer?.tags : { ...outer?.tags, ...change.tags },
      change.quiet ?? outer?.quiet ?? false,
      undefined,
    );
    return this.#storage.run(context, fn);
  }

  /** Runs a call of the EntityManager. If it makes entities, the time that takes is its last query's. */
  async operation<T>(name: string, entity: string | undefined, fork: number, call: () => Promise<T>): Promise<T> {
    const outer = this.#storage.getStore();
    const operation = new Operation(this.#nextOperation++, name, entity, fork, outer?.operation);
    const context = new Context(outer?.scope, operation, outer?.tags, outer?.quiet ?? false, undefined);
    try {
      // With `await`: the stack of a query that is over is to lead here and on.
      return await this.#storage.run(context, call);
    } finally {
      operation.end();
      // What was never sent, since its caller has left.
      context.query = undefined;
    }
  }

  /** The same for one that gives what it reads one by one. */
  async *streaming<T>(
    name: string,
    entity: string | undefined,
    fork: number,
    call: () => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const outer = this.#storage.getStore();
    const operation = new Operation(this.#nextOperation++, name, entity, fork, outer?.operation);
    const context = new Context(outer?.scope, operation, outer?.tags, outer?.quiet ?? false, undefined);
    const iterator = this.#storage.run(context, () => call()[Symbol.asyncIterator]());
    try {
      for (;;) {
        // Each step anew: a generator goes on in the context of whoever asks for more.
        const step = await this.#storage.run(context, () => iterator.next());
        if (step.done === true) {
          return;
        }
        yield step.value;
      }
    } finally {
      await this.#storage.run(context, () => iterator.return?.());
      operation.end();
    }
  }

  /** MikroORM hands a query to its connection, which has `pool`: `send` makes it send it. */
  handedOver<T>(sql: string, log: LogContext | undefined, pool: PoolStats, send: () => Promise<T>): Promise<T> {
    const outer = this.#storage.getStore();
    const makes = makesEntities(outer);
    if (makes) {
      // Of the query before, all entities are made: of those that the pairs of a relation are asked for.
      outer!.operation!.hydrated();
    }
    const query = this.#open(this.#host.shapes.of(log?.query ?? sql), outer);
    query.logContext = log;
    query.label = typeof log?.label === 'string' ? boundedName(log.label) : undefined;
    query.fork = log?.id ?? query.fork;
    query.operation ??= log?.id === undefined ? 'execute' : 'qb';
    query.pool = pool;
    if (!makes) {
      const context = this.#sending(outer, query);
      return ending(this.#storage.run(context, send), context);
    }
    if (outer!.query !== undefined) {
      return this.#storage.run(this.#sending(outer, query), send);
    }
    // Nobody else sends anything in it: a context of its own, which costs as much as all the rest here, would tell no more.
    outer!.query = query;
    return send();
  }

  /** A statement is about to be written to a physical connection. */
  begin(lease: Lease, sql: string): OpenQuery {
    const context = this.#storage.getStore();
    const handed = context?.query;
    let query: OpenQuery;
    if (handed !== undefined && handed.sentAt === 0 && becomes(handed, sql)) {
      query = handed;
    } else if (handed?.error !== undefined && becomes(handed, sql)) {
      // It failed, and is sent once more: another query of the same call.
      query = this.#open(handed.shape, context);
      query.pool = handed.pool;
      query.node = context!.next?.node;
      query.route = context!.next?.route;
      context!.next = undefined;
      query.logContext = handed.logContext;
      query.label = handed.label;
      query.fork = handed.fork;
      query.operation = handed.operation;
      handed.end();
      context!.query = query;
    } else {
      query = this.#open(this.#host.shapes.of(sql), context);
      if (query.shape.kind !== 'transaction' && query.operation !== 'stream') {
        // Not what was called, though it is asked there: by a hook, or by another extension.
        query.operation = 'kysely';
        query.entity = query.shape.entity;
      }
    }
    const now = performance.now();
    if (lease.isFresh) {
      lease.isFresh = false;
      query.wait = lease.waited * 1000;
      // Nobody has handed over what begins a transaction: it began with the wait for its connection.
      query.beganAt(Math.min(query.begunAt, lease.acquiredAt - lease.waited));
    }
    query.role = lease.pool.role;
    query.node = query.node ?? query.logContext?.connection?.name ?? lease.pool.name;
    this.#transactions.note(lease, query, now);
    const channel = this.#channel.start;
    if (channel.hasSubscribers) {
      channel.publish(query);
    }
    query.sentAt = now;
    return query;
  }

  /** It is written. */
  written(query: OpenQuery): void {
    const now = performance.now();
    query.sentAt = now;
    query.send = (now - query.begunAt) * 1000 - query.wait;
    const channel = this.#channel.end;
    if (channel.hasSubscribers) {
      channel.publish(query);
    }
  }

  answered(
    lease: Lease,
    query: OpenQuery,
    sql: string,
    values: readonly unknown[],
    rows: Rows,
    affected: bigint | undefined,
  ): void {
    query.rows = affected === undefined ? rows.length : Number(affected);
    this.#settle(lease, query, sql, values, rows);
  }

  /** A stream has come to its end, or its reader has gone. @param paused for how long it has waited for its reader, in ms */
  streamed(
    lease: Lease,
    query: OpenQuery,
    sql: string,
    values: readonly unknown[],
    rows: number,
    paused: number,
  ): void {
    query.rows = rows;
    query.paused = paused;
    this.#settle(lease, query, sql, values, NONE);
  }

  failed(lease: Lease, query: OpenQuery, sql: string, values: readonly unknown[], error: unknown): void {
    query.error = errorClass(error);
    this.#settle(lease, query, sql, values, NONE);
  }

  /** There was no connection for what was handed over. */
  refused(pool: PoolStats, error: unknown): void {
    const query = this.#storage.getStore()?.query;
    // Something else may be sent in the same call meanwhile, by a hook.
    if (query === undefined || query.sentAt !== 0 || query.pool !== pool) {
      return;
    }
    const now = performance.now();
    query.sentAt = now;
    query.answeredAt = now;
    query.wait = (now - query.begunAt) * 1000;
    query.error = errorClass(error);
    query.role = pool.role;
    query.node = pool.name;
    this.#place(query);
    this.#leave(query);
  }

  /** All that is done for a `findOne` of a fork of its own, without a database. @returns does it once */
  rehearsal(lease: Lease): () => void {
    const sql = 'select "b0".* from "book" as "b0" where "b0"."id" = ? limit ?';
    const rows = [{ id: 1, title: 'x' }];
    const done = Promise.resolve(rows);
    let fork = 0;
    return () => {
      const log = { query: sql, formatted: sql, params: [7, 1], id: ++fork };
      const operation = new Operation(this.#nextOperation++, 'findOne', 'Book', fork, undefined);
      void this.#storage.run(new Context(undefined, operation, undefined, false, undefined), () =>
        this.handedOver(sql, log, lease.pool, () => {
          const query = this.begin(lease, sql);
          this.written(query);
          this.answered(lease, query, sql, log.params, rows, undefined);
          return done;
        }),
      );
      operation.end();
    };
  }

  /** Implements {@link QueryEnds}. */
  ended(query: OpenQuery): void {
    this.last = query;
    const scope = query.owner ?? this.#place(query);
    const { answer } = query;
    if (answer !== undefined) {
      try {
        judge(this.#host, query, scope, answer);
      } catch (error) {
        // A mistake of ours is no reason for a query to fail.
        this.#host.failed(error);
      }
    }
    const { context } = query;
    if (context?.query === query) {
      context.query = undefined;
    }
    query.shape.entry.add(query);
    scope.add(query);
    scope.lastAt = Math.max(scope.lastAt, query.begunAt + query.took / 1000);
    this.#host.ended(query, scope);
    const { asyncStart, asyncEnd, error } = this.#channel;
    if (query.error !== undefined && error.hasSubscribers) {
      error.publish(query);
    }
    if (asyncStart.hasSubscribers) {
      asyncStart.publish(query);
    }
    if (asyncEnd.hasSubscribers) {
      asyncEnd.publish(query);
    }
  }

  #sending(outer: Context | undefined, query: OpenQuery): Context {
    const context = new Context(outer?.scope, outer?.operation, outer?.tags, outer?.quiet ?? false, query);
    query.context = context;
    return context;
  }

  #open(shape: ShapeText, context: Context | undefined): OpenQuery {
    return new OpenQuery(this.#nextQuery++, shape, performance.now(), context, this);
  }

  #place(query: OpenQuery): OpenScope {
    const opened = query.context?.scope;
    // A timer that was set in a request goes on after it.
    const scope =
      opened === undefined || opened.isOver
        ? this.#host.scopes.of(query.context?.operation?.outerFork ?? query.fork, query.begunAt, query.answeredAt)
        : opened;
    query.owner = scope;
    query.scope = scope.id;
    return scope;
  }

  #settle(lease: Lease, query: OpenQuery, sql: string, values: readonly unknown[], rows: Rows): void {
    const now = performance.now();
    query.answeredAt = now;
    query.database = (now - query.sentAt - query.paused) * 1000;
    lease.quietSince = now;
    lease.summary = query.shape.summary;
    lease.scope = this.#place(query);
    const { context, logContext } = query;
    query.answer = { lease, sql, values: logContext?.params ?? values, sent: values, rows };
    query.cache = context?.operation?.cache;
    this.#leave(query);
  }

  /** It is answered: its end is that of what is made of its rows. */
  #leave(query: OpenQuery): void {
    const { context, logContext } = query;
    if (logContext === undefined || query.isLeft) {
      query.end();
    } else if (query.error === undefined && makesEntities(context)) {
      context!.operation!.hydrates(query);
    } else if (makesEntities(context)) {
      context!.operation!.fails(query);
    }
  }
}

/** With `await`, and nothing else that waits for `sent`: V8 follows a promise outwards only if one alone waits for it. */
async function ending<T>(sent: Promise<T>, context: Context): Promise<T> {
  try {
    return await sent;
  } finally {
    // The last one that it was sent as.
    context.query?.end();
  }
}

/**
 * Whether a statement is what a query that was handed over has become: what others add comes after it. What is not may be a
 * question of another extension, asked in its name.
 */
function becomes({ logContext }: OpenQuery, sql: string): boolean {
  const formatted = logContext?.formatted;
  return formatted !== undefined && (sql === formatted || sql.startsWith(formatted));
}

function makesEntities(context: Context | undefined): boolean {
  return context?.operation !== undefined && MAKES_ENTITIES.has(context.operation.name);
}
