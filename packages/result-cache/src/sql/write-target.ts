import { readExpression } from './expressions.ts';
import type { TableWrite } from './model.ts';
import type { Reading } from './reading.ts';
import type { Relation } from './relations.ts';

/** What a write names as its table. */
export interface Target {
  readonly relation: Relation;
  readonly qualifier: string;
}

/** The RETURNING of a write; @returns where it ends, and what is known of it if one can be appended. */
export function readReturning(
  reading: Reading,
  at: number,
  to: number,
  end: number | undefined,
): { at: number; known: Pick<TableWrite, 'returning'> } {
  const present = at < to && reading.is(at, 'returning');
  return {
    at: present ? readExpression(reading, at + 1, to) : at,
    known: end === undefined ? {} : { returning: { present, end } },
  };
}
