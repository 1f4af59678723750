/**
 * A wrong option given to `queryTiming()` or to a function of this package. Thrown at once. The message states the
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
 * Why a call is refused:
 * - `ARGUMENT`: an argument breaks its contract;
 * - `NOT_REGISTERED`: no ORM has this extension yet;
 * - `UNSUPPORTED`: the ORM's connection cannot be timed (a Kysely instance in `driverOptions`), or an internal of MikroORM
 *   that it needs has moved.
 */
export type QueryTimingErrorCode = 'ARGUMENT' | 'NOT_REGISTERED' | 'UNSUPPORTED';

/** A call that this package refuses; `code` tells why. */
export class QueryTimingError extends Error {
  override readonly name = 'QueryTimingError';
  readonly code: QueryTimingErrorCode;

  constructor(code: QueryTimingErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
