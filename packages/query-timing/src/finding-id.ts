import { hash } from 'node:crypto';

/** An id that is the same for the same cause on another day. */
export function findingId(...parts: readonly (string | undefined)[]): string {
  return hash('sha256', JSON.stringify(parts.map(part => part ?? null)), 'hex').slice(0, 16);
}
