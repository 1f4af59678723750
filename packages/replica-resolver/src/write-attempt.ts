import type { WriteLease } from './write-lease.ts';

/** One try of a statement on the primary: whether anything was sent decides whether it may be tried again. */
export class WriteAttempt {
  readonly type = 'write';
  lease: WriteLease | undefined;
}
