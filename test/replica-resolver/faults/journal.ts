import { openSync, readFileSync, writeSync } from 'node:fs';

/** What one process has seen, in the order in which it ended. Times are of `clock.ts`. */
export type Event = ReadEvent | WriteEvent | NodeEvent | LostEvent | PrimaryEvent | BudgetEvent | UnhandledEvent;

export interface ReadEvent {
  readonly kind: 'read';
  readonly start: number;
  readonly end: number;
  readonly key: number;
  /** What it had to find at least; 0 when it was promised nothing. */
  readonly required: number;
  /** What it found, and which server answered; missing when it failed. */
  readonly version?: number;
  readonly port?: number;
  readonly error?: string;
  /** Of rows that take long. */
  readonly slow?: true;
}

export interface WriteEvent {
  readonly kind: 'write';
  readonly start: number;
  readonly end: number;
  readonly key: number;
  readonly version: number;
  /** `acked`: the call resolved; `unknown`: it said that it does not know; `failed`: it said that nothing was done. */
  readonly outcome: 'acked' | 'unknown' | 'failed';
  /** Acknowledged, but nobody can be told what to wait for. */
  readonly tokenless?: true;
  readonly error?: string;
}

/** The resolver thinks otherwise of a node. */
export interface NodeEvent {
  readonly kind: 'node';
  readonly at: number;
  readonly node: string;
  readonly from: string;
  readonly to: string;
  readonly why: string;
}

/** An idle connection to a node was lost: from now on this process can know that something is wrong with it. */
export interface LostEvent {
  readonly kind: 'lost';
  readonly at: number;
  readonly node: string;
}

/** The resolver writes to another server. */
export interface PrimaryEvent {
  readonly kind: 'primary';
  readonly at: number;
  readonly to: string;
}

/** Reads that had to go to the primary at one moment, and how many may. */
export interface BudgetEvent {
  readonly kind: 'budget';
  readonly at: number;
  readonly inUse: number;
  readonly limit: number;
}

/** A rejection or an exception that nobody has caught. */
export interface UnhandledEvent {
  readonly kind: 'unhandled';
  readonly at: number;
  readonly error: string;
}

/** Of one process; written at once, so that it is there even if the process never ends. */
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
