/**
 * A wrong option given to `resultCache()`, `memoryStore()`, `redisStore()` or an entity's `resultCache`. Thrown at once, by
 * the factory or while the ORM is initialised. The message states the contract, the value received and the remedy.
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
 * Why a store cannot be used, or not now:
 * - `READ_ONLY`: the server refuses writes, as a replica does;
 * - `DENIED`: the server refuses a command that the store needs (ACL);
 * - `UNAVAILABLE`: it does not answer, or not in time;
 * - `CLOSED`: it was disposed of.
 */
export type StoreErrorCode = 'READ_ONLY' | 'DENIED' | 'UNAVAILABLE' | 'CLOSED';

/** A store that failed. A query never does because of it, unless the store can never work (`READ_ONLY`, `DENIED`). */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Why the cache refuses a call:
 * - `ARGUMENT`: an argument breaks its contract (a TTL that is not a positive number, an unknown entity);
 * - `NOT_REGISTERED`: the ORM has no `resultCache()`, or the extension no ORM yet;
 * - `UNSEEN_WRITES`: the ORM's connection cannot be watched, so writes would be missed;
 * - `UNKNOWN_STATEMENT`: a statement writes to what the cache cannot tell (`unknownWrites: 'error'`);
 * - `NOT_INVALIDATED`: a transaction was not committed, since the store could not be told (`onStoreError: 'closed'`).
 */
export type ResultCacheErrorCode =
  | 'ARGUMENT'
  | 'NOT_REGISTERED'
  | 'UNSEEN_WRITES'
  | 'UNKNOWN_STATEMENT'
  | 'NOT_INVALIDATED';

/** A call that the cache refuses; `code` tells why, `cause` what began it. */
export class ResultCacheError extends Error {
  override readonly name = 'ResultCacheError';
  readonly code: ResultCacheErrorCode;

  constructor(code: ResultCacheErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
