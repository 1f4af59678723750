import type { Lsn } from './lsn.ts';

/** A connection, as far as it matters which server it leads to. */
export interface Connected {
  /** Which start of which server, as that says itself; `undefined` until it was asked. */
  readonly server: string | undefined;
  /** When it was made, in ms of `performance.now()`. */
  readonly connectedAt: number;
}

/** Names a server and its start; the same for each connection to it, and another one behind an address that is balanced. */
export const SERVER = `concat_ws(' ', extract(epoch from pg_postmaster_start_time()), inet_server_addr(), inet_server_port())`;

/**
 * What a node is known to have replayed, for all connections to it to know.
 *
 * A position that one connection was told holds for another one of the same server that was there when the question was
 * asked: a server that crashes comes back with an older position (T2), but none of its connections lives through that. Of a
 * connection that was made later, nothing is known.
 */
export class Replayed {
  #server: string | undefined;
  #lsn: Lsn = 0n;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  /** The newest position, whoever was told: for guesses only. */
  get latest(): Lsn {
    return this.#lsn;
  }

  /** @param askedAt when the question was sent, in ms of `performance.now()` */
  note(server: string, lsn: Lsn, askedAt: number): void {
    if (askedAt >= this.#askedAt) {
      this.#server = server;
      this.#lsn = lsn;
      this.#askedAt = askedAt;
    }
  }

  /** What this connection shows at the least. */
  floorFor({ server, connectedAt }: Connected): Lsn {
    return server !== undefined && server === this.#server && connectedAt <= this.#askedAt ? this.#lsn : 0n;
  }

  /** Asks, or waits for who is asking already. */
  ask(question: () => Promise<void>): Promise<void> {
    this.#asking ??= question().finally(() => (this.#asking = undefined));
    return this.#asking;
  }
}
