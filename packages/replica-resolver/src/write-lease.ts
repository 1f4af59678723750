import { isConnectionLost } from './failures.ts';
import type { Lease, LeasedClient, Statement, StatementResult } from './lease.ts';
import { parseLsn, type Lsn } from './lsn.ts';
import { statementKind } from './statement-kind.ts';

const POSITION: Statement = { text: 'select pg_current_wal_insert_lsn()::text as lsn' };
const TRANSACTION_ID: Statement = { text: 'select pg_current_xact_id_if_assigned()::text as id' };

/** Tags of statements that leave nothing behind. */
const READING = new Set(['SELECT', 'SHOW', 'BEGIN', 'START', 'SET', 'RESET', 'SAVEPOINT', 'RELEASE', 'EXPLAIN']);

/** Whom a lease tells of commits. */
export interface Commits {
  /** Whether the server tells positions. */
  readonly positions: boolean;
  /** Ask for the transaction's id before each commit, so that its outcome can be looked up when the answer is lost. */
  readonly resolveOutcome: boolean;
  /** Something was committed at or before `lsn`; `undefined`: where is not known. */
  committed(lsn: Lsn | undefined): Promise<void> | undefined;
  /**
   * The connection was lost after a commit was sent.
   * @returns what to throw; nothing if it is known to have been committed
   */
  lost(error: unknown, transactionId: string | undefined): Promise<Error | undefined>;
}

/**
 * A connection to the primary: notes where the log stands behind each commit. It is asked in the same round trip, as a
 * statement of its own behind the commit, so that nothing that happens to the question can make a commit look failed.
 */
export class WriteLease implements Lease {
  sent = false;
  readonly released: undefined;
  readonly #commits: Commits;
  #wrote = false;
  #read = false;

  constructor(commits: Commits) {
    this.#commits = commits;
  }

  async query(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    const kind = statementKind(statement.text);
    const inTransaction = isOpen(client);
    if (inTransaction && kind === 'commit') {
      return await this.#commit(client, statement);
    }
    if (inTransaction) {
      this.sent = true;
      const result = await client.send(statement);
      this.#note(result);
      if (!isOpen(client)) {
        // The text has ended the transaction by itself.
        await this.#ended(client, result);
      }
      return result;
    }
    if (kind === 'control' || kind === 'read') {
      this.sent = kind === 'read' && client.usable;
      return await client.send(statement);
    }
    return await this.#commitAlone(client, statement);
  }

  /** A statement that commits by itself. */
  async #commitAlone(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    const sent = client.usable;
    this.sent ||= sent;
    const [answer, position] = client.sendTogether(this.#commits.positions ? [statement, POSITION] : [statement]);
    let result: StatementResult;
    try {
      result = await answer!;
    } catch (error) {
      if (sent && isConnectionLost(error)) {
        throw (await this.#commits.lost(error, undefined)) ?? error;
      }
      throw error;
    }
    if (isOpen(client)) {
      // The text has begun a transaction, which somebody else will commit.
      this.#note(result);
      return result;
    }
    await this.#commits.committed(await lsnOf(position));
    return result;
  }

  async #ended(client: LeasedClient, result: StatementResult): Promise<void> {
    const rolledBack = result.command === 'ROLLBACK';
    const wrote = !rolledBack && (this.#wrote || this.#read);
    this.#wrote = false;
    this.#read = false;
    if (wrote) {
      await this.#commits.committed(await lsnOf(this.#commits.positions ? client.send(POSITION) : undefined));
    }
  }

  /** The most usual commit, in one message with the question behind it. */
  async #commitJoined(client: LeasedClient, { text }: Statement): Promise<StatementResult> {
    const sent = client.usable;
    const { results, error } = await client.sendJoined([text, POSITION.text]);
    this.#wrote = false;
    this.#read = false;
    const [result, position] = results;
    if (result === undefined) {
      throw sent && isConnectionLost(error) ? ((await this.#commits.lost(error, undefined)) ?? error) : error;
    }
    // Whatever became of the question: it was committed.
    if (result.command !== 'ROLLBACK') {
      await this.#commits.committed(position && lsnIn(position));
    }
    return result;
  }

  async #commit(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    if (this.#wrote && !this.#commits.resolveOutcome && this.#commits.positions) {
      return await this.#commitJoined(client, statement);
    }
    const unknown = !this.#wrote && this.#read;
    let id: string | undefined;
    if (this.#commits.resolveOutcome && client.usable) {
      id = idOf(await client.send(TRANSACTION_ID));
    }
    const sent = client.usable;
    const before = unknown ? [TRANSACTION_ID] : [];
    const after = this.#commits.positions && (unknown || this.#wrote) ? [POSITION] : [];
    const answers = client.sendTogether([...before, statement, ...after]);
    const position = after.length > 0 ? answers.at(-1) : undefined;
    let result: StatementResult;
    try {
      // Functions may have written without their statement saying so: the server knows.
      if (unknown && client.transactionStatus === 'T') {
        const answer = await answers[0]!.catch(() => undefined);
        this.#wrote = answer === undefined || idOf(answer) !== undefined;
      }
      result = await answers[before.length]!;
    } catch (error) {
      if (sent && this.#wrote && isConnectionLost(error)) {
        const outcome = await this.#commits.lost(error, id);
        if (outcome === undefined) {
          await this.#commits.committed(undefined);
          return { command: 'COMMIT', rowCount: null, rows: [] };
        }
        throw outcome;
      }
      throw error;
    } finally {
      this.#read = false;
    }
    const wrote = this.#wrote && result.command !== 'ROLLBACK';
    this.#wrote = false;
    if (wrote) {
      await this.#commits.committed(await lsnOf(position));
    }
    return result;
  }

  #note(result: StatementResult | readonly StatementResult[]): void {
    for (const { command } of Array.isArray(result) ? (result as StatementResult[]) : [result as StatementResult]) {
      if (command === 'ROLLBACK') {
        // Of a savepoint, or of everything: what was written before may be gone, and is not looked into.
        continue;
      }
      // What a select calls, and what is explained by being run, may write: the server is asked at the commit.
      this.#read ||= command === 'SELECT' || command === 'EXPLAIN';
      this.#wrote ||= !READING.has(command);
    }
  }
}

function isOpen({ transactionStatus }: LeasedClient): boolean {
  return transactionStatus === 'T' || transactionStatus === 'E';
}

async function lsnOf(answer: Promise<StatementResult> | undefined): Promise<Lsn | undefined> {
  try {
    return answer && lsnIn(await answer);
  } catch {
    // It was committed all the same.
    return undefined;
  }
}

function lsnIn({ rows }: StatementResult): Lsn | undefined {
  const text = rows[0]?.['lsn'];
  return typeof text === 'string' ? parseLsn(text) : undefined;
}

function idOf({ rows }: StatementResult): string | undefined {
  const id = rows[0]?.['id'];
  return typeof id === 'string' ? id : undefined;
}
