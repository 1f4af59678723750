import { readSets } from './assignments.ts';
import { readExpression } from './expressions.ts';
import { readFrom } from './from.ts';
import type { Assignment } from './model.ts';
import type { Reading } from './reading.ts';
import { named } from './relations.ts';
import type { Item } from './where.ts';
import type { Target } from './write-target.ts';

const UPDATE = new Set(['update']);

/** What it does depends on each row: nothing is said of the rows. */
export function readMerge(
  reading: Reading,
  { relation, qualifier }: Target,
  items: Item[],
  from: number,
  to: number,
): number | undefined {
  if (!reading.is(from, 'using')) {
    return undefined;
  }
  const sets: Assignment[] = [];
  let at = readFrom(reading, from + 1, to, items);
  while (at < to) {
    at = readExpression(reading, at, to, UPDATE);
    if (at < to && reading.is(at + 1, 'set')) {
      at = readSets(reading, at + 2, to, sets);
    } else {
      at++;
    }
  }
  const write = { ...named(relation), equals: [], qualifier };
  const unsure = sets.map(({ column }) => ({ column, value: undefined }));
  reading.writes.push(
    { ...write, how: 'insert', sets: unsure, upsert: { columns: undefined } },
    { ...write, how: 'update', sets: unsure },
    { ...write, how: 'delete', sets: [] },
  );
  return to;
}
