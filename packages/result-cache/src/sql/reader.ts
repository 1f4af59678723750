import { isCall, noteCall } from './calls.ts';
import type { Nested } from './conditions.ts';
import { EFFECTS } from './keywords.ts';
import type { TableUse, TableWrite, Verb } from './model.ts';
import { readQuery } from './query.ts';
import { Reading } from './reading.ts';
import { named, relationAt } from './relations.ts';

/** What the reading of a statement has found. */
export interface Findings {
  readonly reads: readonly TableUse[];
  readonly writes: readonly TableWrite[];
  readonly uncacheable: string | undefined;
  readonly opaque: boolean;
  readonly settings: boolean;
  /** `select … into`: it makes a table. */
  readonly into: boolean;
}

/**
 * Reads selects and writes, clause by clause: finds the relations, follows expressions only as far as their functions and
 * sub-selects. What it does not understand makes a select uncacheable and a write opaque.
 */
export class Reader {
  readonly #reading: Reading;

  /** @param pure functions that the user vouches for */
  constructor(source: string, sql: Nested, pure: ReadonlySet<string> | undefined) {
    this.#reading = new Reading(source, sql, pure, readQuery);
  }

  /** What was found in the tokens of `statement()`. */
  findings(from: number, to: number): Findings {
    const reading = this.#reading;
    if (reading.lost && !reading.opaque) {
      reading.opaque = mayHaveEffects(reading, from, to);
    }
    if (reading.writes.length > 0) {
      reading.uncacheable ??= 'it writes';
    }
    return {
      reads: reading.reads,
      writes: reading.writes,
      uncacheable: reading.uncacheable,
      opaque: reading.opaque,
      settings: reading.settings,
      into: reading.into,
    };
  }

  /**
   * Reads a select or a write that goes from one token up to another.
   *
   * @param end where it ends in the text, if a RETURNING can be appended there
   */
  statement(from: number, to: number, end?: number): Verb {
    const reading = this.#reading;
    const { verb, at } = reading.query(from, to, end);
    if (at !== to) {
      reading.lose('what follows a query');
    }
    return verb;
  }

  /** `truncate [table] [only] a [*], … [restart identity] [cascade]` */
  truncate(from: number, to: number): void {
    const reading = this.#reading;
    let at = reading.is(from, 'table') ? from + 1 : from;
    const written: TableWrite[] = [];
    for (;;) {
      at = reading.is(at, 'only') ? at + 1 : at;
      const open = reading.tokens[at]?.kind === '(';
      const relation = relationAt(reading, open ? at + 1 : at, to);
      if (relation?.name === undefined) {
        reading.opaque = true;
        break;
      }
      written.push({ ...named(relation), how: 'truncate', equals: [], sets: [] });
      at = open ? relation.end + 1 : relation.end;
      if (reading.tokens[at]?.kind !== ',' || at >= to) {
        break;
      }
      at++;
    }
    let cascade = false;
    for (; at < to; at++) {
      cascade ||= reading.is(at, 'cascade');
    }
    for (const write of written) {
      reading.writes.push(cascade ? { ...write, cascade } : write);
    }
  }

  /** `copy t [(…)] from …` and `copy t to …`; @returns whether it is from */
  copy(from: number, to: number): boolean {
    const reading = this.#reading;
    const relation = relationAt(reading, from, to);
    let at = relation?.end ?? to;
    if (reading.tokens[at]?.kind === '(') {
      at = reading.close[at]! + 1;
    }
    const isFrom = !reading.is(at, 'to');
    if (relation?.name === undefined) {
      reading.opaque = true;
    } else if (isFrom) {
      reading.writes.push({ ...named(relation), how: 'insert', equals: [], sets: [] });
    } else {
      reading.reads.push({ ...named(relation), equals: [] });
    }
    return isFrom;
  }
}

/** Whether the tokens hold a word that writes or a call that is not known. */
function mayHaveEffects(reading: Reading, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const token = reading.tokens[at]!;
    if (token.kind === 'word' && EFFECTS.has(token.text)) {
      return true;
    }
    if (token.kind === '(' && isCall(reading, at)) {
      const before = reading.opaque;
      noteCall(reading, at);
      if (reading.opaque !== before) {
        return true;
      }
    }
  }
  return false;
}
