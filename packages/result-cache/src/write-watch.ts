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
  /** The change that a set of writes is. */
  changeOf(writes: WriteSet, cause: 'commit' | 'statement'): Change;
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
    let end: () => void = () => undefined;
    const ended = new Promise<void>(resolve => (end = resolve));
    let begin: () => void = () => undefined;
    const begun = new Promise<void>(resolve => (begin = resolve));
    const told = context.intents.around(await changeOf(context, writes, 'statement'), async () => {
      begin();
      await ended;
    });
    try {
      await Promise.race([begun, told]);
      yield* send();
    } finally {
      end();
      await told;
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
        this.#begin(context, connection, statement.detail);
        return result;
      }
      case 'commit':
      case 'prepare transaction': {
        try {
          return await this.#committed(context, transaction?.writes, () => send(compiled));
        } finally {
          this.#end(context, connection, compiled);
        }
      }
      case 'rollback': {
        this.#end(context, connection, compiled);
        return await send(compiled);
      }
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
        this.#roleChanged ||= ROLE_SETTINGS.has(statement.detail ?? '');
        if (statement.local !== true && !HARMLESS_SETTINGS.test(statement.detail ?? '') && !context.setsSessions) {
          context.sessionChanged(statement.detail ?? 'a setting');
        }
        return await send(compiled);
      default:
        return await this.#statement(context, connection, transaction, compiled, statement, send);
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
    if (transaction !== undefined) {
      return await transaction.during(writes, run);
    }
    const { result } = await context.intents.around(await changeOf(context, writes, 'statement'), run, ({ exact }) =>
      context.tagsOf(exact ?? writes),
    );
    return result;
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
    const transaction = this.#transactions.get(connection);
    if (transaction !== undefined) {
      writes.addAll(transaction.writes);
    }
    const last = statements.findLast(({ verb }) => ENDS.has(verb) || verb === 'begin')?.verb;
    const ends = statements.some(({ verb }) => ENDS.has(verb));
    if (transaction !== undefined && !ends) {
      return await transaction.during(writes, async () => ({ result: await send(compiled), exact: undefined }));
    }
    try {
      return await this.#committed(context, writes, () => send(compiled));
    } finally {
      if (last === 'begin') {
        this.#begin(context, connection, undefined);
      } else {
        this.#transactions.delete(connection);
      }
    }
  }

  async #committed(context: WriteContext, writes: WriteSet | undefined, send: () => Promise<Result>): Promise<Result> {
    return writes === undefined || writes.isEmpty
      ? await send()
      : await context.intents.around(await changeOf(context, writes, 'commit'), send);
  }

  #begin(context: WriteContext, connection: object, isolation: string | undefined): void {
    const byDefault = context.tables().facts?.isolation ?? 'unknown';
    this.#transactions.set(connection, new OpenTransaction(this.#nothing(context), isolation ?? byDefault));
  }

  #end(context: WriteContext, connection: object, { sql }: Compiled): void {
    if (/\band\s+chain\b/i.test(sql) && !/\bno\s+chain\b/i.test(sql)) {
      this.#begin(context, connection, undefined);
    } else {
      this.#transactions.delete(connection);
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

async function changeOf(context: WriteContext, writes: WriteSet, cause: 'commit' | 'statement'): Promise<Change> {
  await context.ready();
  return context.changeOf(writes, cause);
}

const ENDS: ReadonlySet<Statement['verb']> = new Set(['commit', 'rollback', 'prepare transaction']);

/** Settings that decide which table a bare name is. */
const SCHEMA_SETTINGS: ReadonlySet<string> = new Set(['search_path']);

/** `set_config(…, true)`, in each of them. */
const LOCAL_SETTING =
  /^(?:(?!set_config).)*(?:set_config\s*\((?:(?!set_config).)*,\s*(?:true|'t(?:rue)?')\s*\)(?:(?!set_config).)*)+$/is;

function mentionsPath({ sql, parameters }: Compiled): boolean {
  return sql.includes('search_path') || parameters.includes('search_path') || sql.includes('SEARCH_PATH');
}

/** Settings of a session that change neither what its statements return nor who they are run as. */
const HARMLESS_SETTINGS =
  /^(?:all|transaction|session characteristics|constraints|names|client_encoding|client_min_messages|application_name|mikrokit\.\w+|session_replication_role|synchronous_commit|work_mem|maintenance_work_mem|temp_buffers|jit\w*|plan_cache_mode|enable_\w+|max_parallel\w*|random_page_cost|seq_page_cost|cpu_\w+|effective_\w+|from_collapse_limit|join_collapse_limit|geqo\w*|log_\w+|auto_explain\.\w+|track_\w+|\w*timeout|search_path)$/;

const ROLE_SETTINGS: ReadonlySet<string> = new Set(['role', 'session authorization', 'session_authorization']);
