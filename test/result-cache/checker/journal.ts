import { openSync, readFileSync, writeSync } from 'node:fs';

/** What one process has seen, in the order in which it ended. Times are of `clock.ts`. */
export type Event =
  | {
      readonly kind: 'read';
      readonly start: number;
      readonly end: number;
      readonly register: string;
      readonly value: number;
    }
  /** PostgreSQL had said that it is committed. The value of a count is not known to its writer. */
  | { readonly kind: 'commit'; readonly at: number; readonly register: string; readonly value: number | undefined }
  /** The call that wrote it had resolved. */
  | { readonly kind: 'ack'; readonly at: number; readonly register: string; readonly value: number | undefined };

/** Written at once: the process may be killed the moment after. */
export class Journal {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(event: Event): void {
    writeSync(this.#file, `${JSON.stringify(event)}\n`);
  }
}

export function readJournal(path: string): Event[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  // The last one is empty, or cut off by a kill.
  return lines.slice(0, -1).map(line => JSON.parse(line) as Event);
}
