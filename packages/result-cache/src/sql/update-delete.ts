import { readSets } from './assignments.ts';
import { readFrom } from './from.ts';
import type { Assignment } from './model.ts';
import type { Reading, Use } from './reading.ts';
import { named } from './relations.ts';
import { type Item, readWhere } from './where.ts';
import { readReturning, type Target } from './write-target.ts';

/** `set … [from …] [where …] [returning …]` */
export function readUpdate(
  reading: Reading,
  target: Target,
  use: Use,
  items: Item[],
  from: number,
  to: number,
  end: number | undefined,
): number | undefined {
  if (!reading.is(from, 'set')) {
    return undefined;
  }
  const sets: Assignment[] = [];
  let at = readSets(reading, from + 1, to, sets);
  if (reading.is(at, 'from') && at < to) {
    at = readFrom(reading, at + 1, to, items);
  }
  if (reading.is(at, 'where') && at < to) {
    at = readWhere(reading, at + 1, to, items);
  }
  const returning = readReturning(reading, at, to, end);
  reading.writes.push({
    ...named(target.relation),
    how: 'update',
    equals: use.equals,
    sets,
    ...returning.known,
    qualifier: target.qualifier,
  });
  return returning.at;
}

/** `[using …] [where …] [returning …]` */
export function readDelete(
  reading: Reading,
  target: Target,
  use: Use,
  items: Item[],
  from: number,
  to: number,
  end: number | undefined,
): number {
  let at = from;
  if (reading.is(at, 'using') && at < to) {
    at = readFrom(reading, at + 1, to, items);
  }
  if (reading.is(at, 'where') && at < to) {
    at = readWhere(reading, at + 1, to, items);
  }
  const returning = readReturning(reading, at, to, end);
  reading.writes.push({
    ...named(target.relation),
    how: 'delete',
    equals: use.equals,
    sets: [],
    ...returning.known,
    qualifier: target.qualifier,
  });
  return returning.at;
}
