import { shown } from '../checks.ts';
import { QueryTimingError } from '../errors.ts';

/** A name of an index or a table. @param call what takes it, for the message */
export function checkName(call: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') {
    throw new QueryTimingError(
      'ARGUMENT',
      `${call} takes a name as PostgreSQL has it, but got: ${shown(value)}. Write it without schema and quotes.`,
    );
  }
}
