import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease, LeasedClient, Statement, StatementResult } from './lease.ts';
import { parseLsn, type Lsn } from './lsn.ts';

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

/** Works on either kind of server, so that it does not matter who is what by now. */
const REPLAYED: Statement = {
  text: 'select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end::text as lsn',
};
const POSITION: Statement = {
  text: 'select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text as lsn',
};

/** Between two looks at a replica that is about to arrive, in ms. */
const POLLS = [1, 2, 4, 8];

/** What a read asks of the connection it is given. */
export interface ReadNeeds {
  /** The replica has to have replayed so far; `undefined`: nothing, or it is the primary. */
  readonly floor: Lsn | undefined;
  /** How long to wait for that, in ms. */
  readonly wait: number;
  /** Ask what was shown (monotonic reads). */
  readonly tellShown: boolean;
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
  /** A position that has everything that was shown. */
  shown: Lsn | undefined;

  readonly released: (() => void) | undefined;

  /** @param released called when the connection goes back to its pool */
  constructor(needs: ReadNeeds, released?: () => void) {
    this.#needs = needs;
    this.released = released;
  }

  async query(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    this.sent = true;
    const { floor, tellShown } = this.#needs;
    if (floor === undefined || client.floor >= floor) {
      if (floor !== undefined && this.checked === 'not needed') {
        this.checked = 'known';
      }
      return tellShown ? await this.#andTell(client, statement) : await client.send(statement);
    }
    const [position, answer, after] = client.sendTogether(
      tellShown ? [REPLAYED, statement, POSITION] : [REPLAYED, statement],
    ) as [Promise<StatementResult>, Promise<StatementResult>, Promise<StatementResult>?];
    note(client, await position);
    if (client.floor >= floor) {
      this.checked = 'asked';
      const result = await answer;
      this.shown = after && positionOf(await after);
      return result;
    }
    // Whatever it says, rows or an error of a table that is not there yet, it is too old.
    await Promise.allSettled([answer, after]);
    await this.#waitFor(client, floor);
    return await this.query(client, statement);
  }

  /** Makes sure that the connection shows enough, for what cannot be sent twice: a transaction, a stream. */
  async ensure(client: LeasedClient): Promise<void> {
    const { floor } = this.#needs;
    if (floor === undefined) {
      return;
    }
    if (client.floor >= floor) {
      this.checked = 'known';
      return;
    }
    note(client, await client.send(REPLAYED));
    if (client.floor >= floor) {
      this.checked = 'asked';
    } else {
      await this.#waitFor(client, floor);
    }
  }

  async #waitFor(client: LeasedClient, floor: Lsn): Promise<void> {
    const deadline = performance.now() + this.#needs.wait;
    for (let poll = 0; performance.now() < deadline; poll++) {
      const left = deadline - performance.now();
      await sleep(Math.min(POLLS[poll] ?? POLLS.at(-1)!, Math.max(1, left)));
      note(client, await client.send(REPLAYED));
      if (client.floor >= floor) {
        this.checked = 'waited';
        return;
      }
    }
    throw new NotCaughtUp(floor - client.floor);
  }

  async #andTell(client: LeasedClient, statement: Statement): Promise<StatementResult> {
    const [answer, after] = client.sendTogether([statement, POSITION]);
    const result = await answer!;
    this.shown = positionOf(await after!);
    return result;
  }
}

function note(client: LeasedClient, result: StatementResult): void {
  const position = positionOf(result);
  // The position of one connection never goes back: its server would have had to end.
  if (position !== undefined && position > client.floor) {
    client.floor = position;
  }
}

function positionOf({ rows }: StatementResult): Lsn | undefined {
  const text = rows[0]?.['lsn'];
  return typeof text === 'string' ? parseLsn(text) : undefined;
}
