import type { Replayed } from './replayed.ts';

/** What a statement resolves with, as pg has it. */
export interface StatementResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: Record<string, unknown>[];
}

/** A statement: simple protocol without values, extended with them. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
}

/** What became of statements that were sent as one. */
export interface JoinedResult {
  /** Of those that were completed, in their order. */
  readonly results: readonly StatementResult[];
  /** Why the next one failed. */
  readonly error: unknown;
}

/** A physical connection, as a lease sees it. */
export interface LeasedClient {
  /** What its node is known to have replayed. */
  readonly replayed: Replayed | undefined;
  server: string | undefined;
  readonly connectedAt: number;
  /** In a transaction (`T`), in one that has failed (`E`), in none (`I`). */
  readonly transactionStatus: 'I' | 'T' | 'E' | null;
  /** Whether a statement would be sent. */
  readonly usable: boolean;
  /** Sends a statement. */
  send(statement: Statement): Promise<StatementResult>;
  /**
   * Sends statements without values as one text: one message, and one answer for all. Where one fails, those before it have
   * their results all the same, and none after it is run.
   */
  sendJoined(texts: readonly string[]): Promise<JoinedResult>;
  /** Sends statements in one go, each with its own answer: one round trip. */
  sendTogether(statements: readonly Statement[]): Promise<StatementResult>[];
  /** Ends it at once, whatever is under way, so that no pool keeps it. */
  destroy(): void;
}

/** For whom a connection was taken out of its pool: decides what is sent beside each statement. */
export interface Lease {
  /** Something was sent: from now on nobody can know what the server has done. */
  sent: boolean;
  /** Called when the connection goes back to its pool. */
  released?(): void;
  query(client: LeasedClient, statement: Statement): Promise<StatementResult>;
  /**
   * Something is sent past `query()`: a cursor, what has a callback, a config object of pg's.
   * @param text as far as it is known
   */
  passed?(client: LeasedClient, text: string | undefined): void;
}
