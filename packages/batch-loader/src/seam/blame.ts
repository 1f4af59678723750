import { DriverException } from '@mikro-orm/core';
import type { Blame } from '../isolate.ts';

/** Who is to blame for a failed statement, by its SQLSTATE (https://www.postgresql.org/docs/18/errcodes-appendix.html). */
export function blameOf(error: unknown): Blame {
  if (!(error instanceof DriverException)) {
    // MikroORM refused the call before any SQL was sent: an unknown property, a bad value.
    return error instanceof Error && error.name === 'AbortError' ? 'shared' : 'value';
  }
  const { code: state = '' } = error as { code?: string };
  // Class 22: data exception. Class 42: syntax error, unknown column or operator.
  return state.startsWith('22') ? 'value' : state.startsWith('42') ? 'shape' : 'shared';
}

/** Whether a smaller statement may go through: one that was cancelled for its time, or refused for what it needs. */
export function isOfItsSize(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  // query_canceled; classes 53: insufficient resources, 54: program limit exceeded.
  return error instanceof DriverException && (code === '57014' || /^5[34]/.test(code));
}

/** Whether the error comes from PostgreSQL, so that a transaction it happened in is aborted. */
export function isDatabaseError(error: unknown): error is Error {
  return error instanceof DriverException;
}
