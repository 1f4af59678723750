import type { OpenTransaction } from './open-transaction.ts';
import { ENDS, OpenTransactions } from './open-transactions.ts';
import { addReturning } from './returning.ts';
import type { Compiled, Result, Send, Watcher } from './seam/connection-watch.ts';
import { SessionChanges } from './session-changes.ts';
import { mentionsPath } from './session-settings.ts';
import type { Statement } from './sql/statement.ts';
import { changeOf, isAtomic, taken, widened, writesOf } from './statement-writes.ts';
import type { WriteContext } from './write-context.ts';
import type { WriteSet } from './write-set.ts';

/**
 * Sees every statement that the ORM sends, and tells the store what they change: at the commit of their transaction, or
 * around a statement that is a transaction of its own. Nothing is told of what is rolled back.
 */
export class WriteWatch implements Watcher {
  readonly #context: WriteContext;
  readonly #session: SessionChanges;
  readonly #transactions: OpenTransactions;

  constructor(context: WriteContext) {
    this.#context = context;
    this.#session = new SessionChanges(context);
    this.#transactions = new OpenTransactions(context, this.#session);
  }

  /** The transaction that is open on a physical connection. */
  transactionOn(connection: object): OpenTransaction | undefined {
    return this.#transactions.on(connection);
  }

  execute(connection: object, compiled: Compiled, send: Send): Promise<Result> {
    const context = this.#context;
    if (context.isOwnWork()) {
      return send(compiled);
    }
    const preparing =
      this.#transactions.on(connection) === undefined ? context.prepare(connection, send, compiled) : undefined;
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
      this.#session.maySetPath(compiled, this.#transactions.on(connection));
    }
    if (!context.mayWrite(compiled.sql)) {
      return await send(compiled);
    }
    const statements = context.analyse(compiled.sql);
    this.#session.maySetIsolation(compiled, statements, this.#transactions.on(connection));
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
    const writes = writesOf(context, statements, compiled);
    if (writes.isEmpty) {
      yield* send();
      return;
    }
    const transaction = this.#transactions.on(connection);
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
    const transaction = this.#transactions.on(connection);
    switch (statement.verb) {
      case 'begin': {
        const result = await send(compiled);
        // PostgreSQL warns of a second one, and goes on with the first.
        if (this.#transactions.on(connection) === undefined) {
          this.#transactions.begin(connection, statement.detail);
        }
        return result;
      }
      case 'commit':
      case 'prepare transaction': {
        const ends = (): Promise<Result> => this.#transactions.ends(connection, statement, () => send(compiled));
        return await this.#committed(context, () => transaction?.writes, true, ends);
      }
      case 'rollback':
        return await this.#transactions.ends(connection, statement, () => send(compiled));
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
        this.#session.set(statement, transaction);
        return await send(compiled);
      default:
        return await this.#statement(context, connection, transaction, compiled, statement, send);
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
    const writes = writesOf(context, [statement], compiled);
    if (writes.isEmpty) {
      return await send(compiled);
    }
    const returning = this.#session.isRoleChanged ? undefined : addReturning(statement, compiled, context.tables());
    const run = async (): Promise<{ result: Result; exact: WriteSet | undefined }> => {
      if (returning === undefined) {
        return { result: await send(compiled), exact: undefined };
      }
      const result = await send({ ...compiled, sql: returning.sql });
      return taken(context, statement, compiled, returning, result);
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
    const writes = writesOf(context, statements, compiled);
    if (mentionsPath(compiled) && statements.some(({ verb, settings }) => verb === 'set' || settings === true)) {
      writes.addEverything('a text that sets the search_path');
    }
    const transaction = this.#transactions.on(connection);
    for (const statement of statements) {
      if (statement.verb === 'set') {
        this.#session.set(statement, transaction);
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
      this.#transactions.passes(connection, { statements, writes, all: all() }, () => send(compiled)),
    );
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
}

const SAVEPOINTS: ReadonlySet<Statement['verb']> = new Set(['savepoint', 'rollback to', 'release']);
