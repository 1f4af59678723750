/**
 * A wrong option given to `replicaResolver()` or to a function of this package. Thrown at once. The message states the
 * contract, the value received and the remedy.
 */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
  readonly code = 'OPTIONS';
  /** Name of the option at fault. */
  readonly option: string;

  constructor(option: string, message: string) {
    super(message);
    this.option = option;
  }
}

/**
 * Why the resolver refuses a call:
 * - `ARGUMENT`: an argument breaks its contract;
 * - `NOT_REGISTERED`: no ORM has this extension yet;
 * - `UNSUPPORTED`: the ORM's connection cannot be routed (a Kysely instance or dialect in `driverOptions`);
 * - `NO_ELIGIBLE_NODE`: no replica may answer this read and the primary has no place for it; may be tried again;
 * - `NO_PRIMARY`: no server takes writes, and none has for `writeHold` ms; nothing was sent, may be tried again;
 * - `COMMIT_OUTCOME_UNKNOWN`: the connection was lost after a commit was sent, see `CommitOutcomeUnknownError`.
 */
export type ReplicaResolverErrorCode =
  | 'ARGUMENT'
  | 'NOT_REGISTERED'
  | 'UNSUPPORTED'
  | 'NO_ELIGIBLE_NODE'
  | 'NO_PRIMARY'
  | 'COMMIT_OUTCOME_UNKNOWN';

/** A call that the resolver refuses or cannot answer for; `code` tells why, `cause` what began it. */
export class ReplicaResolverError extends Error {
  override readonly name: string = 'ReplicaResolverError';
  readonly code: ReplicaResolverErrorCode;
  /** Whether the same call may succeed when it is made again: nothing has been done. */
  readonly retryable: boolean;

  constructor(code: ReplicaResolverErrorCode, message: string, options?: { cause?: unknown; retryable?: boolean }) {
    super(message, options);
    this.code = code;
    this.retryable = options?.retryable ?? false;
  }
}

/**
 * The connection was lost after a commit (or a statement that commits by itself) had been sent, and before its answer: it
 * may have been committed or not. Trap: sending it again may do it twice. Look before, or make it idempotent.
 */
export class CommitOutcomeUnknownError extends ReplicaResolverError {
  override readonly name = 'CommitOutcomeUnknownError';
  /** The server it was sent to. */
  readonly node: string;
  /** The transaction's id, where it is known: `select pg_xact_status('…'::xid8)` on the same server tells what became of it. */
  readonly transactionId: string | undefined;

  constructor(node: string, options: { cause?: unknown; transactionId?: string | undefined }) {
    super(
      'COMMIT_OUTCOME_UNKNOWN',
      `The answer to a commit is always known while the connection lasts, but the one to ${node} was lost before it came. ` +
        'The transaction may have been committed or not: look before you send it again.',
      options,
    );
    this.node = node;
    this.transactionId = options.transactionId;
  }
}
