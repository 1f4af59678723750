import { OpenTransaction } from './open-transaction.ts';
import type { Result } from './seam/connection-watch.ts';
import type { SessionChanges } from './session-changes.ts';
import { ISOLATION_SETTINGS } from './session-settings.ts';
import type { Statement } from './sql/statement.ts';
import { nothing } from './statement-writes.ts';
import type { WriteContext } from './write-context.ts';
import type { WriteSet } from './write-set.ts';

/** Statements that end a transaction. */
export const ENDS: ReadonlySet<Statement['verb']> = new Set(['commit', 'rollback', 'prepare transaction']);

/** The transactions that are open, each on a physical connection of its own, from what begins them to what ends them. */
export class OpenTransactions {
  readonly #context: WriteContext;
  readonly #session: SessionChanges;
  readonly #transactions = new WeakMap<object, OpenTransaction>();

  constructor(context: WriteContext, session: SessionChanges) {
    this.#context = context;
    this.#session = session;
  }

  /** The one that is open on a connection. */
  on(connection: object): OpenTransaction | undefined {
    return this.#transactions.get(connection);
  }

  /** @param isolation as `begin` names it */
  begin(connection: object, isolation: string = this.#session.defaultIsolation): void {
    this.#transactions.set(connection, new OpenTransaction(nothing(this.#context), isolation));
  }

  /** Sends what ends a transaction. What is sent after it is no part of it, though it may be sent before it is over. */
  async ends(connection: object, { detail }: Statement, send: () => Promise<Result>): Promise<Result> {
    const ended = this.#transactions.get(connection);
    if (detail !== 'chain') {
      this.#transactions.delete(connection);
      return await send();
    }
    this.begin(connection, ended?.isolation);
    try {
      return await send();
    } catch (error) {
      this.#transactions.delete(connection);
      throw error;
    }
  }

  /** Sends a text that begins or ends transactions. */
  async passes(
    connection: object,
    text: { statements: readonly Statement[]; writes: WriteSet; all: WriteSet },
    send: () => Promise<Result>,
  ): Promise<Result> {
    const before = this.#transactions.get(connection);
    const isolation = this.#isolationAfter(before, text.statements);
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
  #isolationAfter(before: OpenTransaction | undefined, statements: readonly Statement[]): string | undefined {
    let isolation = before?.isolation;
    for (const { verb, detail, settings } of statements) {
      if (verb === 'begin') {
        isolation ??= detail ?? this.#session.defaultIsolation;
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
}
