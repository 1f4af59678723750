/**
 * A wrong option given to `batchLoader()`. Thrown at once, by the factory, never later by a query.
 * The message states the contract, the value received and the remedy.
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
 * Why a read could not be batched:
 * - `CLOSED`: the ORM was closed;
 * - `DETACHED`: `em.clear()` removed the entity from its EntityManager;
 * - `FOREIGN_ENTITY`: the entity belongs to another ORM;
 * - `ARGUMENT`: an argument breaks its contract: `limit` or `offset` of a collection load, the property of an aggregate, the size or order of a page;
 * - `CURSOR`: a cursor is not one of this page's entity and order;
 * - `NOT_REGISTERED`: `batch(em)` was given an EntityManager whose ORM has no `batchLoader()`;
 * - `TRANSACTION_ABORTED`: another load of the batch failed inside a transaction, and PostgreSQL aborts all of it;
 * - `TRANSACTION_ENDED`: the transaction was over before the load was sent;
 * - `UNBATCHED`: one query of its shape too many was about to be sent by itself (`onUnbatched: 'throw'`).
 */
export type BatchLoaderErrorCode =
  | 'CLOSED'
  | 'DETACHED'
  | 'FOREIGN_ENTITY'
  | 'ARGUMENT'
  | 'CURSOR'
  | 'NOT_REGISTERED'
  | 'TRANSACTION_ABORTED'
  | 'TRANSACTION_ENDED'
  | 'UNBATCHED';

/** A lazy load that the batch loader refuses or that failed with its batch; `code` tells which, `cause` what began it. */
export class BatchLoaderError extends Error {
  override readonly name = 'BatchLoaderError';
  readonly code: BatchLoaderErrorCode;

  constructor(code: BatchLoaderErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
