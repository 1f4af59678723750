import type { OpenSideConnection, SideConnection } from '../side-connection.ts';
import { within } from './within.ts';

const OPEN_MS = 5_000;
const END_MS = 1_000;

/**
 * One connection beside the ORM's pools, for one after another: opened when it is first needed, ended when it was idle for
 * 30 s, when something failed on it, and by `close()`. Everything has a time limit.
 */
export class SideLine {
  readonly #open: OpenSideConnection;
  readonly #url: string | undefined;
  readonly #idleMs: number;
  #connection: SideConnection | undefined;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(open: OpenSideConnection, url: string | undefined, idleMs = 30_000) {
    this.#open = open;
    this.#url = url;
    this.#idleMs = idleMs;
  }

  /**
   * @param ms how long `work` may take; then its connection is ended under it
   * @throws as `work` and opening do, TimeLimitError
   */
  use<T>(ms: number, work: (connection: SideConnection) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => this.#used(ms, work));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the connection at once; what runs on it fails. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#drop();
  }

  async #used<T>(ms: number, work: (connection: SideConnection) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    const kept = this.#connection;
    try {
      return await this.#once(ms, work);
    } catch (error) {
      // It may have died while nobody used it (a restarted server): that is no failure of the work.
      if (kept && !this.#closed && isLostConnection(error)) {
        return await this.#once(ms, work);
      }
      throw error;
    }
  }

  async #once<T>(ms: number, work: (connection: SideConnection) => Promise<T>): Promise<T> {
    const connection = (this.#connection ??= await this.#opened());
    try {
      const result = await within(ms, 'A question beside the queries', work(connection));
      this.#idle = setTimeout(() => void this.#drop(), this.#idleMs).unref();
      return result;
    } catch (error) {
      await this.#drop();
      throw error;
    }
  }

  async #opened(): Promise<SideConnection> {
    if (this.#closed) {
      throw new Error('The connection beside the pools is closed.');
    }
    const opening = this.#open(this.#url);
    let waited = true;
    opening.then(
      late => {
        if (!waited || this.#closed) {
          void end(late);
        }
      },
      () => undefined,
    );
    try {
      const connection = await within(OPEN_MS, 'Opening a connection beside the pools', opening);
      if (this.#closed) {
        throw new Error('The connection beside the pools was closed while it was opened.');
      }
      return connection;
    } finally {
      waited = false;
    }
  }

  async #drop(): Promise<void> {
    clearTimeout(this.#idle);
    const connection = this.#connection;
    this.#connection = undefined;
    await end(connection);
  }
}

async function end(connection: SideConnection | undefined): Promise<void> {
  // One that cannot be ended has ended already.
  await within(END_MS, 'Ending a connection', Promise.resolve(connection?.end())).catch(() => undefined);
}

function isLostConnection(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (
    /^(?:57P0[1-3]|08\w{3}|ECONNRESET|EPIPE)$/.test(code) ||
    (error instanceof Error && /connection (?:terminated|ended|closed)|not queryable/i.test(error.message))
  );
}
