import { channel } from 'node:diagnostics_channel';

/** Why a statement went where it went. */
export type RouteReason =
  /** A replica: nothing had to be shown. */
  | 'replica'
  /** A replica whose connection was known to show enough. */
  | 'replica-caught-up'
  /** A replica that was asked in the same round trip. */
  | 'replica-checked'
  /** A replica that was waited for. */
  | 'replica-waited'
  /** Writes, transactions, locks, and whatever was sent to `connectionType: 'write'`. */
  | 'primary'
  | 'primary-strong'
  /** There are no replicas. */
  | 'primary-only'
  /** The session has written, and where in the log is not known (or the database does not tell). */
  | 'primary-pinned'
  /** No replica had replayed what the session needs to see. */
  | 'primary-not-caught-up'
  /** No replica may answer now. */
  | 'primary-no-replica'
  /** The session's token is of another timeline. */
  | 'primary-timeline'
  /** A replica refused it, since it writes; `learned`: this or one like it did before. */
  | 'primary-refused'
  | 'primary-learned'
  /** A replica that is behind, for want of anything better (`onNoReplica: 'stale'`). */
  | 'stale';

/** What is published on the `mikrokit:route` diagnostics channel. */
export interface RouteEvent {
  readonly node: string;
  readonly role: 'primary' | 'replica';
  readonly reason: RouteReason;
  /** A statement; or a transaction, stream or Kysely query. */
  readonly kind: 'statement' | 'open';
  readonly consistency: string;
  /** 1, and one more for each node that it was begun on before. */
  readonly attempt: number;
  /** From the call to the answer (to the connection, for `open`), in ms. */
  readonly took: number;
}

/** Publishes routes, and builds a message only when somebody listens. */
export class RouteChannel {
  readonly #channel = channel('mikrokit:route');

  publish(event: () => RouteEvent): void {
    if (this.#channel.hasSubscribers) {
      this.#channel.publish(event());
    }
  }
}
