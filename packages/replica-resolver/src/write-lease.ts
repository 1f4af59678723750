import { isAnswerLost, isReadOnly } from './failures.ts';
import type { Lease, LeasedClient, Statement, StatementResult } from './lease.ts';
import { parseLsn, type Lsn } from './lsn.ts';
import type { Session } from './session.ts';
import { statementKind, textShape } from './statement-kind.ts';

const POSITION: Statement = { text: 'select pg_current_wal_insert_lsn()::text as lsn' };
const TRANSACTION_ID: Statement = { text: 'select pg_current_xact_id_if_assigned()::text as id' };
const STANDBY: Statement = { text: 'select pg_is_in_recovery() as standby' };

/** Tags of statements that leave nothing behind. */
const READING = new Set([
  'SELECT',
  'SHOW',
  'BEGIN',
  'START',
  'SET',
  'RESET',
  'SAVEPOINT',
  'RELEASE',
  'EXPLAIN',
  'COMMIT',
]);

/** Those who have taken part in what is committed: a transaction may be begun in one scope and end in another. */
export type Writers = ReadonlySet<Session>;

/** Whom a lease tells of commits. */
export interface Commits {
  /** Whether the server tells positions. */
  readonly positions: boolean;
  /** Ask for the transaction's id before each commit, so that its outcome can be looked up when the answer is lost. */
  readonly resolveOutcome: boolean;
  /** Who sends what is sent now. */
  session(): Session;
  /** Something was committed at or before `lsn`; `undefined`: where is not known. Never rejects. */
  committed(writers: Writers, lsn: Lsn | undefined): Promise<void>;
  /**
   * A commit was sent, and its answer will not be heard.
   * @returns what to throw; nothing if it is known to have been committed
   */
  lost(writers: Writers, error: unknown, transactionId: string | undefined): Promise<Error | undefined>;
}

/**
 * A connection to the primary: notes where the log stands behind each commit. It is asked in the same round trip, as a
 * statement of its own behind the commit, so that nothing that happens to the question can make a commit look failed.
 */
export class WriteLease implements Lease {
  /** Something was sent that may have been done; not so what a standby has refused. */
  sent = false;
  readonly #commits: Commits;
  /** Of the transaction that is open. */
  #writers = new Set<Session>();
  #wrote = false;
  #read = false;
  /** Those who have sent something of which nobody hears when it is done. */
  readonly #unheard = new Set<Session>();

  constructor(commits: Commits) {
    this.#commits = commits;
  }

  async query(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    const kind = statementKind(statement.text);
    const inTransaction = isOpen(client);
    const writers = this.#join(inTransaction);
    if (inTransaction && kind === 'commit') {
      return await this.#commit(client, statement, writers);
    }
    if (inTransaction) {
      return await this.#within(client, statement, writers);
    }
    if (kind === 'control' || kind === 'read') {
      this.sent ||= kind === 'read' && client.usable;
      return await client.send(statement);
    }
    return await this.#commitAlone(client, statement, writers);
  }

  /**
   * What is sent past `query()`: when it is done is heard of by whoever has sent it, so that a position that is asked for
   * might come too late. Until then, and after it, only the primary is sure to show what it wrote.
   */
  passed(client: LeasedClient, text: string | undefined): void {
    this.sent = true;
    const inTransaction = isOpen(client);
    const writers = this.#join(inTransaction);
    const kind = text === undefined ? 'write' : statementKind(text);
    if (inTransaction) {
      // The server is asked at the commit.
      this.#read = true;
    }
    const staysOpen = inTransaction && kind !== 'commit' && text !== undefined && textShape(text) !== 'several';
    if (kind === 'read' || kind === 'control' || staysOpen) {
      return;
    }
    writers.forEach(session => this.#unheard.add(session));
    void this.#commits.committed(writers, undefined);
  }

  /** The connection goes back: by now it is done. */
  released(): void {
    if (this.#unheard.size > 0) {
      void this.#commits.committed(new Set(this.#unheard), undefined);
      this.#unheard.clear();
    }
  }

  #join(inTransaction: boolean): Writers {
    if (!inTransaction) {
      // Another set: a statement that is under way keeps its own.
      this.#writers = new Set();
    }
    return this.#writers.add(this.#commits.session());
  }

  /** A statement in a transaction, or a text that ends it by itself. */
  async #within(client: LeasedClient, statement: Statement, writers: Writers): Promise<StatementResult> {
    this.sent = true;
    const sent = client.usable;
    let result: StatementResult;
    try {
      result = await client.send(statement);
    } catch (error) {
      if (sent && textShape(statement.text) === 'several') {
        throw await this.#failedPartly(client, error, writers, undefined);
      }
      throw error;
    }
    if (this.#note(client, result)) {
      await this.#commits.committed(writers, await this.#position(client));
    }
    return result;
  }

  /** A statement that commits by itself. */
  async #commitAlone(client: LeasedClient, statement: Statement, writers: Writers): Promise<StatementResult> {
    const sent = client.usable;
    this.sent ||= sent;
    const [answer, position] = client.sendTogether(this.#commits.positions ? [statement, POSITION] : [statement]);
    let result: StatementResult;
    try {
      result = await answer!;
    } catch (error) {
      if (!sent) {
        throw error;
      }
      const shape = textShape(statement.text);
      if (isAnswerLost(error) || shape !== 'plain') {
        throw await this.#failedPartly(client, error, writers, position);
      }
      if (isReadOnly(error) && (await isStandby(client))) {
        this.sent = false;
      }
      throw error;
    }
    if (isOpen(client)) {
      // The text has begun a transaction, which somebody else will commit.
      if (this.#note(client, result)) {
        await this.#commits.committed(writers, await lsnOf(position));
      }
      return result;
    }
    await this.#commits.committed(writers, await lsnOf(position));
    return result;
  }

  /**
   * Something that may have committed has failed, all of it or what came after the commit.
   * @returns what to throw
   */
  async #failedPartly(
    client: LeasedClient,
    error: unknown,
    writers: Writers,
    position: Promise<StatementResult> | undefined,
  ): Promise<unknown> {
    if (isAnswerLost(error)) {
      return (await this.#commits.lost(writers, error, undefined)) ?? error;
    }
    await this.#commits.committed(writers, await (position ? lsnOf(position) : this.#position(client)));
    return error;
  }

  /** The most usual commit, in one message with the question behind it. */
  async #commitJoined(client: LeasedClient, { text }: Statement, writers: Writers): Promise<StatementResult> {
    const sent = client.usable;
    const { results, error } = await client.sendJoined([text, POSITION.text]);
    this.#wrote = false;
    this.#read = false;
    const [result, position] = results;
    if (result === undefined) {
      throw sent && isAnswerLost(error) ? ((await this.#commits.lost(writers, error, undefined)) ?? error) : error;
    }
    // Whatever became of the question: it was committed.
    if (result.command !== 'ROLLBACK') {
      await this.#commits.committed(writers, position && lsnIn(position));
    }
    return result;
  }

  async #commit(client: LeasedClient, statement: Statement, writers: Writers): Promise<StatementResult> {
    if (this.#wrote && !this.#commits.resolveOutcome && this.#commits.positions) {
      return await this.#commitJoined(client, statement, writers);
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
      if (sent && this.#wrote && isAnswerLost(error)) {
        const outcome = await this.#commits.lost(writers, error, id);
        if (outcome === undefined) {
          await this.#commits.committed(writers, undefined);
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
      await this.#commits.committed(writers, await lsnOf(position));
    }
    return result;
  }

  /**
   * Notes what a text has done that was sent in a transaction, or has begun one.
   * @returns whether it has committed something
   */
  #note(client: LeasedClient, result: StatementResult | readonly StatementResult[]): boolean {
    const results = Array.isArray(result) ? (result as StatementResult[]) : [result as StatementResult];
    let committed = false;
    for (const { command } of results) {
      if (command === 'COMMIT') {
        committed ||= this.#mayHaveWritten();
      }
      // A rollback may be one of a savepoint: what was written before may be gone, and is not looked into.
      // What a select calls, and what is explained by being run, may write: the server is asked at the commit.
      this.#read ||= command === 'SELECT' || command === 'EXPLAIN';
      this.#wrote ||= !READING.has(command) && command !== 'ROLLBACK';
    }
    if (isOpen(client)) {
      return committed;
    }
    const rest = this.#mayHaveWritten();
    return committed || (rest && results.at(-1)?.command !== 'ROLLBACK');
  }

  /** Whether the transaction that has ended may have written; forgets it. */
  #mayHaveWritten(): boolean {
    const wrote = this.#wrote || this.#read;
    this.#wrote = false;
    this.#read = false;
    return wrote;
  }

  async #position(client: LeasedClient): Promise<Lsn | undefined> {
    // A question in somebody's transaction would be its first statement, before which its isolation level may be set.
    return this.#commits.positions && !isOpen(client) ? await lsnOf(client.send(POSITION)) : undefined;
  }
}

function isOpen({ transactionStatus }: LeasedClient): boolean {
  return transactionStatus === 'T' || transactionStatus === 'E';
}

/** Connections do not outlive the end of a primary: on one to a standby nothing was written, ever. */
async function isStandby(client: LeasedClient): Promise<boolean> {
  try {
    const { rows } = await client.send(STANDBY);
    return rows[0]?.['standby'] === true;
  } catch {
    return false;
  }
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
