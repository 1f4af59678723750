import type { OpenTransaction } from './open-transaction.ts';
import type { Compiled } from './seam/connection-watch.ts';
import {
  HARMLESS_SETTINGS,
  ISOLATION_SETTINGS,
  LOCAL_SETTING,
  mentionsIsolation,
  ROLE_SETTINGS,
  SCHEMA_SETTINGS,
} from './session-settings.ts';
import type { Statement } from './sql/statement.ts';
import type { WriteContext } from './write-context.ts';

/** What statements have changed of the sessions that later ones are sent in. */
export class SessionChanges {
  readonly #context: WriteContext;
  /** Another role may lack the right to read what it writes. */
  #roleChanged = false;
  /** Transactions that name no isolation level no longer have the database's. */
  #isolationChanged = false;

  constructor(context: WriteContext) {
    this.#context = context;
  }

  /** Whether statements may be run as another role. */
  get isRoleChanged(): boolean {
    return this.#roleChanged;
  }

  /** Of a transaction that names none. */
  get defaultIsolation(): string {
    return this.#isolationChanged ? 'unknown' : (this.#context.tables().facts?.isolation ?? 'unknown');
  }

  /** To be called for `set`. */
  set({ detail = 'a setting', local }: Statement, transaction: OpenTransaction | undefined): void {
    const context = this.#context;
    if (ISOLATION_SETTINGS.has(detail)) {
      transaction?.isolated();
      this.#isolationChanged ||= detail !== 'transaction' && detail !== 'transaction_isolation';
    }
    this.#roleChanged ||= ROLE_SETTINGS.has(detail);
    if (local !== true && !HARMLESS_SETTINGS.test(detail) && !context.setsSessions) {
      context.sessionChanged(detail);
    }
  }

  /** Another search path makes bare names other tables: for the rest of the transaction, or of the program. */
  maySetPath({ sql }: Compiled, transaction: OpenTransaction | undefined): void {
    for (const statement of this.#context.analyse(sql)) {
      const isSet = statement.verb === 'set' && SCHEMA_SETTINGS.has(statement.detail ?? '');
      if (isSet || statement.settings === true) {
        const isLocal = isSet ? statement.local === true : LOCAL_SETTING.test(sql);
        if (transaction !== undefined && isLocal) {
          transaction.moved();
        } else {
          this.#context.sessionChanged('search_path');
        }
      }
    }
  }

  /** A function may set the isolation, now or for what comes. */
  maySetIsolation(
    compiled: Compiled,
    statements: readonly Statement[],
    transaction: OpenTransaction | undefined,
  ): void {
    if (statements.some(({ settings }) => settings === true) && mentionsIsolation(compiled)) {
      this.#isolationChanged = true;
      transaction?.isolated();
    }
  }
}
