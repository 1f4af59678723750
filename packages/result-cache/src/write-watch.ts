import { ResultCacheError } from './errors.ts';
import type { Change, Intents } from './intents.ts';
import { OpenTransaction } from './open-transaction.ts';
import { addReturning, type Returning, takeReturned } from './returning.ts';
import type { Compiled, Result, Send, Watcher } from './seam/connection-watch.ts';
import type { Statement } from './sql/statement.ts';
import type { Tables } from './tables.ts';
import { WriteSet } from './write-set.ts';

/** What {@link WriteWatch} has to know of its ORM. */
export interface WriteContext {
  tables(): Tables;
  readonly intents: Intents;
  readonly unknownWrites: 'everything' | 'error' | 'ignore';
  /** Called before a statement outside any transaction. */
  prepare(connection: object, send: Send, compiled: Compiled): Promise<void> | undefined;
  /** Whether the running code is the cache's own, whose statements are nobody's business. */
  isOwnWork(): boolean;
  mayWrite(sql: string): boolean;
  analyse(sql: string): readonly Statement[];
  /** What has to be known before {@link changeOf}. */
  ready(): Promise<void> | undefined;
  /** Whether it is known which columns other processes tell apart. */
  knowsColumns(): boolean;
  /** The change that a set of writes is. */
  changeOf(writes: WriteSet, cause: 'commit' | 'statement', atomic: boolean): Change;
  /** Tags as the store calls them. */
  tagsOf(writes: WriteSet): readonly string[];
  /** Whether MikroORM itself sets the session anew whenever a connection is used (`sessionContext: 'connection'`). */
  readonly setsSessions: boolean;
  /** Tables, foreign keys or triggers may have been changed. */
  schemaChanged(): void;
  /** The session was changed so that statements mean something else from now on. */
  sessionChanged(parameter: string): void;
}

/**
 * Sees every statement that the ORM sends, and tells the store what they change: at the commit of their transaction, or
 * around a statement that is a transaction of its own. Nothing is told of what is rolled back.
 */
export class WriteWatch implements Watcher {
  readonly #context: WriteContext;
  readonly #transactions = new WeakMap<object, OpenTransaction>();
  /** Another role may lack the right to read what it writes. */
  #roleChanged = false;
  /** Transactions that name no isolation level no longer have the database's. */
  #isolationChanged = false;

  constructor(context: WriteContext) {
    this.#context = context;
  }

  /** The transaction that is open on a physical connection. */
  transactionOn(connection: object): OpenTransaction | undefined {
    return this.#transactions.get(connection);
  }

  execute(connection: object, compiled: Compiled, send: Send): Promise<Result> {
    const context = this.#context;
    if (context.isOwnWork()) {
      return send(compiled);
    }
    const preparing = this.#transactions.has(connection) ? undefined : context.prepare(connection, send, compiled);
    if (preparing !== undefined) {
      return preparing.then(() => this.#execute(connection, compiled, send));
    }
    // Most statements are plain reads, which are not to be held up.
    return context.mayWrite(compiled.sql) || mentionsPath(compiled)
      ? this.#execute(connection, compiled, send)
      : send(compiled);
  }

  async #execute(connection: object, compiled: Compiled, send: Send): Promise<Result> {
    const context = this.#context;
    if (mentionsPath(compiled)) {
      this.#maySetPath(connection, compiled);
    }
    if (!context.mayWrite(compiled.sql)) {
      return await send(compiled);
    }
    const statements = context.analyse(compiled.sql);
    if (statements.some(({ settings }) => settings === true) && mentionsIsolation(compiled)) {
      this.#isolationChanged = true;
      this.#transactions.get(connection)?.isolated();
    }
    const [statement] = statements;
    return statements.length === 1
      ? await this.#one(context, connection, compiled, statement!, send)
      : await this.#several(context, connection, compiled, statements, send);
  }

  async *stream(
    connection: object,
    compiled: Compiled,
    send: () => AsyncIterableIterator<Result>,
  ): AsyncIterableIterator<Result> {
    const context = this.#context;
    const statements = context.mayWrite(compiled.sql) ? context.analyse(compiled.sql) : [];
    const writes = this.#writesOf(context, statements, compiled);
    if (writes.isEmpty) {
      yield* send();
      return;
    }
    const transaction = this.#transactions.get(connection);
    if (transaction !== undefined) {
      await transaction.during(writes, () => Promise.resolve({ result: undefined, exact: undefined }));
      yield* send();
      return;
    }
    // The rows come while it runs, so its end is told by the end of the stream.
    const ended = Promise.withResolvers<void>();
    // It may have been refused before anybody waits for its end.
    ended.promise.catch(() => undefined);
    let begin: () => void = () => undefined;
    const begun = new Promise<void>(resolve => (begin = resolve));
    const told = context.intents.around(
      await changeOf(context, writes, 'statement', isAtomic(statements)),
      async () => {
        begin();
        await ended.promise;
      },
    );
    try {
      await Promise.race([begun, told]);
      yield* send();
      ended.resolve();
    } catch (error) {
      ended.reject(error);
      throw error;
    } finally {
      // A reader that stops early leaves a statement that has run all the same.
      ended.resolve();
      await told.catch(() => undefined);
      this.#afterSchema(context, writes);
    }
  }

  async #one(
    context: WriteContext,
    connection: object,
    compiled: Compiled,
    statement: Statement,
    send: Send,
  ): Promise<Result> {
    const transaction = this.#transactions.get(connection);
    switch (statement.verb) {
      case 'begin': {
        const result = await send(compiled);
        // PostgreSQL warns of a second one, and goes on with the first.
        if (!this.#transactions.has(connection)) {
          this.#begin(context, connection, statement.detail);
        }
        return result;
      }
      case 'commit':
      case 'prepare transaction': {
        const ends = (): Promise<Result> => this.#ends(context, connection, statement, () => send(compiled));
        return await this.#committed(context, () => transaction?.writes, true, ends);
      }
      case 'rollback':
        return await this.#ends(context, connection, statement, () => send(compiled));
      case 'savepoint':
      case 'rollback to':
      case 'release': {
        const result = await send(compiled);
        const name = statement.detail ?? '';
        if (statement.verb === 'savepoint') {
          transaction?.savepoint(name);
        } else if (statement.verb === 'release') {
          transaction?.release(name);
        } else {
          transaction?.rollbackTo(name);
        }
        return result;
      }
      case 'set':
        this.#setting(context, connection, statement);
        return await send(compiled);
      default:
        return await this.#statement(context, connection, transaction, compiled, statement, send);
    }
  }

  #setting(context: WriteContext, connection: object, { detail = 'a setting', local }: Statement): void {
    if (ISOLATION_SETTINGS.has(detail)) {
      this.#transactions.get(connection)?.isolated();
      this.#isolationChanged ||= detail !== 'transaction' && detail !== 'transaction_isolation';
    }
    this.#roleChanged ||= ROLE_SETTINGS.has(detail);
    if (local !== true && !HARMLESS_SETTINGS.test(detail) && !context.setsSessions) {
      context.sessionChanged(detail);
    }
  }

  /** Another search path makes bare names other tables: for the rest of the transaction, or of the program. */
  #maySetPath(connection: object, { sql }: Compiled): void {
    for (const statement of this.#context.analyse(sql)) {
      const isSet = statement.verb === 'set' && SCHEMA_SETTINGS.has(statement.detail ?? '');
      if (isSet || statement.settings === true) {
        const transaction = this.#transactions.get(connection);
        const isLocal = isSet ? statement.local === true : LOCAL_SETTING.test(sql);
        if (transaction !== undefined && isLocal) {
          transaction.moved();
        } else {
          this.#context.sessionChanged('search_path');
        }
      }
    }
  }

  async #statement(
    context: WriteContext,
    connection: object,
    transaction: OpenTransaction | undefined,
    compiled: Compiled,
    statement: Statement,
    send: Send,
  ): Promise<Result> {
    const writes = this.#writesOf(context, [statement], compiled);
    if (writes.isEmpty) {
      return await send(compiled);
    }
    const returning = this.#roleChanged ? undefined : addReturning(statement, compiled, context.tables());
    const run = async (): Promise<{ result: Result; exact: WriteSet | undefined }> => {
      if (returning === undefined) {
        return { result: await send(compiled), exact: undefined };
      }
      const result = await send({ ...compiled, sql: returning.sql });
      return this.#taken(context, statement, compiled, returning, result);
    };
    if (transaction !== undefined && !transaction.isDoubtful) {
      return await transaction.during(writes, run);
    }
    const alone =
      transaction === undefined
        ? run
        : () => transaction.during(writes, async () => ({ result: await run(), exact: undefined }));
    try {
      const change = await changeOf(context, writes, 'statement', isAtomic([statement]));
      const { result } = await context.intents.around(change, alone, ({ exact }) =>
        context.tagsOf(widened(context, exact ?? writes)),
      );
      return result;
    } finally {
      this.#afterSchema(context, writes);
    }
  }

  /** Several statements in one text: one transaction, unless they say otherwise; what they return cannot be told apart. */
  async #several(
    context: WriteContext,
    connection: object,
    compiled: Compiled,
    statements: readonly Statement[],
    send: Send,
  ): Promise<Result> {
    const writes = this.#writesOf(context, statements, compiled);
    if (mentionsPath(compiled) && statements.some(({ verb, settings }) => verb === 'set' || settings === true)) {
      writes.addEverything('a text that sets the search_path');
    }
    const transaction = this.#transactions.get(connection);
    for (const statement of statements) {
      if (statement.verb === 'set') {
        this.#setting(context, connection, statement);
      } else if (SAVEPOINTS.has(statement.verb)) {
        transaction?.lostSavepoints();
      }
    }
    const all = (): WriteSet => {
      const both = writes.copy();
      if (transaction !== undefined) {
        both.addAll(transaction.writes);
      }
      return both;
    };
    if (transaction !== undefined && !statements.some(({ verb }) => ENDS.has(verb))) {
      const run = (): Promise<Result> =>
        transaction.during(writes, async () => ({ result: await send(compiled), exact: undefined }));
      return await (transaction.isDoubtful ? this.#committed(context, all, false, run) : run());
    }
    return await this.#committed(context, all, false, () =>
      this.#passes(context, connection, { statements, writes, all: all() }, () => send(compiled)),
    );
  }

  /** Sends a text that begins or ends transactions. */
  async #passes(
    context: WriteContext,
    connection: object,
    text: { statements: readonly Statement[]; writes: WriteSet; all: WriteSet },
    send: () => Promise<Result>,
  ): Promise<Result> {
    const before = this.#transactions.get(connection);
    const isolation = this.#isolationAfter(context, before, text.statements);
    // What is sent next is run after the text, though it may be sent before the text is over.
    if (isolation === undefined) {
      this.#transactions.delete(connection);
    } else {
      // Of what the text has written, some may still be open: statements before a `begin` are in it, too.
      const left = new OpenTransaction(text.all, isolation);
      left.lostSavepoints();
      this.#transactions.set(connection, left);
    }
    try {
      return await send();
    } catch (error) {
      if (before === undefined) {
        this.#transactions.delete(connection);
      } else {
        before.doubt(text.writes);
        this.#transactions.set(connection, before);
      }
      throw error;
    }
  }

  /** The isolation of the transaction that a text leaves open. */
  #isolationAfter(
    context: WriteContext,
    before: OpenTransaction | undefined,
    statements: readonly Statement[],
  ): string | undefined {
    let isolation = before?.isolation;
    for (const { verb, detail, settings } of statements) {
      if (verb === 'begin') {
        isolation ??= detail ?? this.#defaultIsolation(context);
      } else if (ENDS.has(verb)) {
        isolation = detail === 'chain' ? (isolation ?? 'unknown') : undefined;
      } else if (
        isolation !== undefined &&
        (settings === true || (verb === 'set' && ISOLATION_SETTINGS.has(detail ?? '')))
      ) {
        isolation = 'unknown';
      }
    }
    return isolation;
  }

  /** @param written asked again when the store has been told: a statement that nobody waits for may have slipped in */
  async #committed(
    context: WriteContext,
    written: () => WriteSet | undefined,
    atomic: boolean,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const writes = written();
    if (writes === undefined || writes.isEmpty) {
      return await send();
    }
    try {
      const change = await changeOf(context, writes, 'commit', atomic);
      return await context.intents.around(change, send, undefined, () =>
        context.changeOf(widened(context, written() ?? writes), 'commit', atomic),
      );
    } finally {
      this.#afterSchema(context, writes);
    }
  }

  /** Others may have read the catalog while the change was not to be seen yet. */
  #afterSchema(context: WriteContext, { everything }: WriteSet): void {
    if (everything !== undefined) {
      context.schemaChanged();
    }
  }

  #begin(context: WriteContext, connection: object, isolation = this.#defaultIsolation(context)): void {
    this.#transactions.set(connection, new OpenTransaction(this.#nothing(context), isolation));
  }

  #defaultIsolation(context: WriteContext): string {
    return this.#isolationChanged ? 'unknown' : (context.tables().facts?.isolation ?? 'unknown');
  }

  /** Sends what ends a transaction. What is sent after it is no part of it, though it may be sent before it is over. */
  async #ends(
    context: WriteContext,
    connection: object,
    { detail }: Statement,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const ended = this.#transactions.get(connection);
    if (detail !== 'chain') {
      this.#transactions.delete(connection);
      return await send();
    }
    this.#begin(context, connection, ended?.isolation);
    try {
      return await send();
    } catch (error) {
      this.#transactions.delete(connection);
      throw error;
    }
  }

  #taken(
    context: WriteContext,
    statement: Statement,
    compiled: Compiled,
    returning: Returning,
    result: Result,
  ): { result: Result; exact: WriteSet } {
    const { rows, returned } = takeReturned(returning, result.rows);
    const exact = this.#nothing(context);
    exact.addStatement(statement, compiled.parameters, returned);
    return { result: { ...result, rows }, exact };
  }

  #nothing(context: WriteContext): WriteSet {
    return new WriteSet(context.tables(), context.unknownWrites === 'everything' ? 'everything' : 'ignore');
  }

  #writesOf(context: WriteContext, statements: readonly Statement[], { sql, parameters }: Compiled): WriteSet {
    const writes = this.#nothing(context);
    if (statements.some(({ verb, opaque }) => opaque || verb === 'ddl')) {
      context.schemaChanged();
    }
    for (const statement of statements) {
      if (statement.opaque && statement.verb !== 'ddl' && context.unknownWrites === 'error') {
        throw new ResultCacheError(
          'UNKNOWN_STATEMENT',
          `What this statement writes cannot be told, and unknownWrites is 'error': ${sql.slice(0, 120)}. ` +
            "Name its functions in pureFunctions if they write nothing, or set unknownWrites: 'everything'.",
        );
      }
      writes.addStatement(statement, parameters);
    }
    return writes;
  }
}

async function changeOf(
  context: WriteContext,
  writes: WriteSet,
  cause: 'commit' | 'statement',
  atomic: boolean,
): Promise<Change> {
  await context.ready();
  return context.changeOf(widened(context, writes), cause, atomic);
}

/** What others tell apart cannot be named while it is not known. */
function widened(context: WriteContext, writes: WriteSet): WriteSet {
  if (context.knowsColumns()) {
    return writes;
  }
  const all = writes.copy();
  all.addEverything('the columns of other processes are not known');
  return all;
}

/** Whether nothing is changed if it fails: a text, a procedure or a block may have committed before. */
function isAtomic(statements: readonly Statement[]): boolean {
  return statements.length === 1 && !statements[0]!.opaque;
}

const SAVEPOINTS: ReadonlySet<Statement['verb']> = new Set(['savepoint', 'rollback to', 'release']);

const ENDS: ReadonlySet<Statement['verb']> = new Set(['commit', 'rollback', 'prepare transaction']);

/** Settings that decide which table a bare name is. */
const SCHEMA_SETTINGS: ReadonlySet<string> = new Set(['search_path']);

/** `set_config(…, true)`, in each of them. */
const LOCAL_SETTING =
  /^(?:(?!set_config).)*(?:set_config\s*\((?:(?!set_config).)*,\s*(?:true|'t(?:rue)?')\s*\)(?:(?!set_config).)*)+$/is;

function mentionsPath({ sql, parameters }: Compiled): boolean {
  return sql.includes('search_path') || parameters.includes('search_path') || sql.includes('SEARCH_PATH');
}

function mentionsIsolation({ sql, parameters }: Compiled): boolean {
  return /isolation/i.test(sql) || parameters.some(value => typeof value === 'string' && /isolation/i.test(value));
}

/** Settings of a session that change neither what its statements return nor who they are run as. */
const HARMLESS_SETTINGS =
  /^(?:all|transaction|session characteristics|constraints|names|client_encoding|client_min_messages|application_name|mikrokit\.\w+|session_replication_role|synchronous_commit|work_mem|maintenance_work_mem|temp_buffers|jit\w*|plan_cache_mode|enable_\w+|max_parallel\w*|random_page_cost|seq_page_cost|cpu_\w+|effective_\w+|from_collapse_limit|join_collapse_limit|geqo\w*|log_\w+|auto_explain\.\w+|track_\w+|\w*timeout|search_path)$/;

const ISOLATION_SETTINGS: ReadonlySet<string> = new Set([
  'transaction',
  'transaction_isolation',
  'session characteristics',
  'default_transaction_isolation',
]);

const ROLE_SETTINGS: ReadonlySet<string> = new Set(['role', 'session authorization', 'session_authorization']);
