import type { QueryRecord } from '../query-record.ts';

/** Whether its rows came back, rather than being written. */
export function isReturned({ rows, shape }: QueryRecord): boolean {
  return rows !== undefined && shape.kind === 'select';
}
