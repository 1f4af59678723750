import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease, LeasedClient, Statement, StatementResult } from './lease.ts';
import { parseLsn, type Lsn } from './lsn.ts';
import { SERVER } from './replayed.ts';
import { statementKind } from './statement-kind.ts';

/** The replica had not replayed what the session needs to see, and did not in the time that was given. */
export class NotCaughtUp extends Error {
  override readonly name = 'NotCaughtUp';
  /** In bytes. */
  readonly behind: Lsn;

  constructor(behind: Lsn) {
    super(`The replica is ${behind} bytes of WAL behind what the session needs to see.`);
    this.behind = behind;
  }
}

/** A primary says nothing, or where it stopped to be a standby: both are less than what it is asked for. */
const LSN = 'pg_last_wal_replay_lsn()::text as lsn';
const REPLAYED: Statement = { text: `select ${LSN}, ${SERVER} as server` };
/**
 * Before a read in the same text. Texts are one transaction: where it is not `read committed`, its one snapshot is older
 * than this position, which then says nothing.
 */
const ISOLATION = `current_setting('transaction_isolation') as isolation`;
const REPLAYED_BEFORE = `select ${LSN}, ${ISOLATION}`;
/** The first time on a connection. */
const REPLAYED_AND_SERVER_BEFORE = `select ${LSN}, ${ISOLATION}, ${SERVER} as server`;
const POSITION: Statement = {
  text: 'select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text as lsn',
};

/** One statement that reads, surely: no other may hide in it. */
const PLAIN_READ = /^\s*(?:select|with)\b[^;]*$/i;

/** Between two looks at a replica that is about to arrive, in ms. */
const POLLS = [1, 2, 4, 8];

/** What a read asks of the connection it is given. */
export interface ReadNeeds {
  /** The replica has to have replayed so far; `undefined`: nothing, or it is the primary. */
  readonly floor: Lsn | undefined;
  /** How long to wait for that, in ms. */
  readonly wait: number;
  /** It is unlikely that it has: to be asked first, so that a long read is not made for nothing. @default false */
  readonly unlikely?: boolean;
  /** Ask what was shown (monotonic reads). */
  readonly tellShown: boolean;
  /** It is not surely a read, and on the primary: what it writes is noted here. */
  readonly writes?: Lease | undefined;
  /** Every statement goes there, whatever it looks like. @default false */
  readonly refused?: boolean;
  /** Hears of a position that has everything that was shown. */
  readonly shown?: ((lsn: Lsn) => void) | undefined;
}

/**
 * A read on one connection. Whether the replica shows enough is asked in the same round trip as the read itself: a
 * position that is read before a statement's snapshot is taken is a position that the snapshot has.
 */
export class ReadLease implements Lease {
  sent = false;
  readonly #needs: ReadNeeds;
  /** How it was made sure, for whoever asks why. */
  checked: 'not needed' | 'known' | 'asked' | 'waited' = 'not needed';
  /** It was made sure before the first statement. Others may have been told less since, of a server that has crashed. */
  #ensured = false;

  readonly #returned: (() => void) | undefined;

  /** @param released called when the connection goes back to its pool */
  constructor(needs: ReadNeeds, released?: () => void) {
    this.#needs = needs;
    this.#returned = released;
  }

  released(): void {
    this.#needs.writes?.released?.();
    this.#returned?.();
  }

  passed(client: LeasedClient, text: string): void {
    this.#needs.writes?.passed?.(client, text);
  }

  /** Something was sent that looks as if it wrote. */
  get mayHaveWritten(): boolean {
    return this.#needs.writes?.sent ?? false;
  }

  // Not async: the usual statement is handed on as it is.
  query(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    this.sent = true;
    const { floor, tellShown, writes, refused } = this.#needs;
    if (writes !== undefined && (refused || inTransaction(client) || statementKind(statement.text) === 'write')) {
      return writes.query(client, statement);
    }
    if (floor === undefined || this.#ensured || shows(client, floor)) {
      if (floor !== undefined && this.checked === 'not needed') {
        this.checked = 'known';
      }
      return tellShown ? this.#andTell(client, statement) : client.send(statement);
    }
    return this.#makeSure(client, statement, floor);
  }

  async #makeSure(client: LeasedClient, statement: Statement, floor: Lsn): Promise<StatementResult> {
    if (this.#needs.unlikely) {
      await this.ensure(client);
      return await this.query(client, statement);
    }
    if (this.#needs.tellShown || statement.values?.length || !PLAIN_READ.test(statement.text)) {
      return await this.#apart(client, statement, floor);
    }
    return await this.#joined(client, statement, floor);
  }

  /** Makes sure that the connection shows enough, for what cannot be sent twice: a transaction, a stream. */
  async ensure(client: LeasedClient): Promise<void> {
    const { floor } = this.#needs;
    if (floor === undefined) {
      return;
    }
    if (shows(client, floor)) {
      this.checked = 'known';
    } else {
      await ask(client);
      if (shows(client, floor)) {
        this.checked = 'asked';
      } else {
        await this.#waitFor(client, floor);
      }
    }
    this.#ensured = true;
  }

  /** The question and the statement in one message. */
  async #joined(client: LeasedClient, statement: Statement, floor: Lsn): Promise<StatementResult> {
    const askedAt = performance.now();
    const { results, error } = await client.sendJoined([
      client.server === undefined ? REPLAYED_AND_SERVER_BEFORE : REPLAYED_BEFORE,
      statement.text,
    ]);
    const [position, result] = results;
    if (position === undefined) {
      throw error as Error;
    }
    note(client, position, askedAt);
    if (!reaches(position, floor)) {
      // Whatever it says, rows or an error of a table that is not there yet, it is too old.
      await this.#waitFor(client, floor);
      return await client.send(statement);
    }
    this.checked = 'asked';
    if (error !== undefined) {
      throw error as Error;
    }
    return result !== undefined && position.rows[0]?.['isolation'] === 'read committed'
      ? result
      : await client.send(statement);
  }

  /** Messages of their own, in one go. */
  async #apart(client: LeasedClient, statement: Statement, floor: Lsn): Promise<StatementResult> {
    const askedAt = performance.now();
    const [position, answer, after] = client.sendTogether(
      this.#needs.tellShown ? [REPLAYED, statement, POSITION] : [REPLAYED, statement],
    ) as [Promise<StatementResult>, Promise<StatementResult>, Promise<StatementResult>?];
    const before = await position;
    note(client, before, askedAt);
    if (reaches(before, floor)) {
      this.checked = 'asked';
      const result = await answer;
      this.#tell(await after);
      return result;
    }
    await Promise.allSettled([answer, after]);
    await this.#waitFor(client, floor);
    return await this.query(client, statement);
  }

  async #waitFor(client: LeasedClient, floor: Lsn): Promise<void> {
    const deadline = performance.now() + this.#needs.wait;
    for (let poll = 0; performance.now() < deadline; poll++) {
      const left = deadline - performance.now();
      await sleep(Math.min(POLLS[poll] ?? POLLS.at(-1)!, Math.max(1, left)));
      if (!shows(client, floor)) {
        await ask(client);
      }
      if (shows(client, floor)) {
        this.checked = 'waited';
        return;
      }
    }
    throw new NotCaughtUp(floor - (client.replayed?.latest ?? 0n));
  }

  #tell(after: StatementResult | undefined): void {
    const position = after && positionOf(after);
    if (position !== undefined) {
      this.#needs.shown?.(position);
    }
  }

  async #andTell(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    const [answer, after] = client.sendTogether([statement, POSITION]);
    const result = await answer!;
    this.#tell(await after);
    return result;
  }
}

function inTransaction({ transactionStatus }: LeasedClient): boolean {
  return transactionStatus === 'T' || transactionStatus === 'E';
}

/** What was asked with a statement: what others have been told since says nothing of its snapshot. */
function reaches(result: StatementResult, floor: Lsn): boolean {
  return (positionOf(result) ?? 0n) >= floor;
}

function shows(client: LeasedClient, floor: Lsn): boolean {
  return client.replayed !== undefined && client.replayed.floorFor(client) >= floor;
}

/** Those who wait for the same server ask once. */
async function ask(client: LeasedClient): Promise<void> {
  const question = async (): Promise<void> => {
    const askedAt = performance.now();
    note(client, await client.send(REPLAYED), askedAt);
  };
  // Of a connection that has never been asked it is not known which server it leads to.
  await (client.server === undefined || client.replayed === undefined ? question() : client.replayed.ask(question));
}

function note(client: LeasedClient, result: StatementResult, askedAt: number): void {
  const position = positionOf(result);
  const server = result.rows[0]?.['server'];
  if (typeof server === 'string') {
    client.server = server;
  }
  if (position !== undefined && client.server !== undefined) {
    client.replayed?.note(client.server, position, askedAt);
  }
}

function positionOf({ rows }: StatementResult): Lsn | undefined {
  const text = rows[0]?.['lsn'];
  return typeof text === 'string' ? parseLsn(text) : undefined;
}
