import type { Scan } from '../sql/scan.ts';
import type { Repeats } from './repeats.ts';

/** A pause that is longer than this before the same query, with no other between them, is waiting for something, in ms. */
const PAUSE = 10;

/** Tables that are told apart in what was written. */
const MOST_TABLES = 1_000;
/** Forks whose queries are counted. */
const MOST_FORKS = 1_000;

/** What has happened in a scope that gives a reason to ask again. */
export class Course {
  /** Place of the last query, from 1. */
  at = 0;
  /** Errors and rollbacks until now. */
  errors = 0;
  #anythingWrittenAt = 0;
  #written: Map<string, number> | undefined = undefined;
  /** Most scopes have one fork: it needs no map. */
  #fork: number | undefined = undefined;
  #ofFork = 0;
  #ofOthers: Map<number, number> | undefined = undefined;

  /** A query of a fork comes. */
  next(fork: number | undefined): void {
    this.at++;
    if (fork === undefined) {
      return;
    }
    this.#fork ??= fork;
    if (fork === this.#fork) {
      this.#ofFork++;
      return;
    }
    const others = (this.#ofOthers ??= new Map());
    if (others.size < MOST_FORKS || others.has(fork)) {
      others.set(fork, (others.get(fork) ?? 0) + 1);
    }
  }

  /** How many queries a fork has sent. */
  queriesOf(fork: number): number {
    return fork === this.#fork ? this.#ofFork : (this.#ofOthers?.get(fork) ?? 0);
  }

  /** Something was written to its tables; to any, where it names none, or where one cannot tell what it did. */
  wrote({ kind, tables }: Scan): void {
    if (tables.length === 0 || kind === 'call' || kind === 'ddl' || kind === 'other' || kind === 'setting') {
      this.#anythingWrittenAt = this.at;
      return;
    }
    const written = (this.#written ??= new Map());
    if (written.size >= MOST_TABLES) {
      written.clear();
      this.#anythingWrittenAt = this.at;
    }
    for (const table of tables) {
      written.set(table, this.at);
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
    const written = this.#written;
    return written !== undefined && repeats.shape.tables.some(table => (written.get(table) ?? 0) > repeats.lastAt);
  }

  /** Whether anything failed since the last query of this shape: it may be a retry. */
  hasFailedSince(repeats: Repeats): boolean {
    return this.errors > repeats.lastErrors;
  }
}
