import type { Scan } from '../sql/scan.ts';
import type { Repeats } from './repeats.ts';

/** A pause that is longer than this before the same query, with no other between them, is waiting for something, in ms. */
const PAUSE = 10;

/** Forks whose queries are counted. */
const MOST_FORKS = 1_000;

/** What has happened in a scope that gives a reason to ask again. */
export class Course {
  /** Place of the last query, from 1. */
  at = 0;
  /** Errors and rollbacks until now. */
  errors = 0;
  readonly #written = new Map<string, number>();
  readonly #byFork = new Map<number, number>();
  #anythingWrittenAt = 0;

  /** A query of a fork comes. */
  next(fork: number | undefined): void {
    this.at++;
    if (fork !== undefined && (this.#byFork.size < MOST_FORKS || this.#byFork.has(fork))) {
      this.#byFork.set(fork, (this.#byFork.get(fork) ?? 0) + 1);
    }
  }

  /** How many queries a fork has sent. */
  queriesOf(fork: number | undefined): number {
    return fork === undefined ? 0 : (this.#byFork.get(fork) ?? 0);
  }

  /** Something was written to its tables; to any, where it names none, or where one cannot tell what it did. */
  wrote({ kind, tables }: Scan): void {
    if (tables.length === 0 || kind === 'call' || kind === 'ddl' || kind === 'other' || kind === 'setting') {
      this.#anythingWrittenAt = this.at;
      return;
    }
    for (const table of tables) {
      this.#written.set(table, this.at);
    }
  }

  /** It failed, or all of its transaction was undone. */
  failed(): void {
    this.errors++;
    this.#anythingWrittenAt = this.at;
  }

  /** Whether there was a reason to send the same once more: an error, a write to its tables, or a pause (polling). */
  hadReason(repeats: Repeats, begin: number): boolean {
    if (this.hasFailedSince(repeats) || this.#anythingWrittenAt > repeats.lastAt) {
      return true;
    }
    if (repeats.lastAt === this.at - 1 && begin - repeats.lastEnd >= PAUSE) {
      return true;
    }
    return repeats.shape.tables.some(table => (this.#written.get(table) ?? 0) > repeats.lastAt);
  }

  /** Whether anything failed since the last query of this shape: it may be a retry. */
  hasFailedSince(repeats: Repeats): boolean {
    return this.errors > repeats.lastErrors;
  }
}
