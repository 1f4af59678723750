import { readInsert } from './insert.ts';
import { readMerge } from './merge.ts';
import type { Reading, Use } from './reading.ts';
import { aliasAt, named, relationAt } from './relations.ts';
import { readDelete, readUpdate } from './update-delete.ts';
import { itemOf } from './where.ts';

/** A write, from behind its verb; what cannot be read is opaque. @returns where it ends */
export function readWrite(
  reading: Reading,
  verb: 'insert' | 'update' | 'delete' | 'merge',
  from: number,
  to: number,
  end: number | undefined,
): number {
  const at = tryWrite(reading, verb, from, to, end);
  if (at === undefined) {
    reading.lose(`an ${verb}`);
    reading.opaque = true;
    return to;
  }
  return at;
}

function tryWrite(
  reading: Reading,
  verb: 'insert' | 'update' | 'delete' | 'merge',
  from: number,
  to: number,
  end: number | undefined,
): number | undefined {
  let at = from;
  if (verb !== 'update') {
    if (!reading.is(at, verb === 'delete' ? 'from' : 'into')) {
      return undefined;
    }
    at++;
  }
  let close: number | undefined;
  if (verb !== 'insert' && reading.is(at, 'only')) {
    at++;
    if (reading.tokens[at]?.kind === '(') {
      close = reading.close[at]!;
      at++;
    }
  }
  const relation = relationAt(reading, at, to);
  if (relation?.name === undefined) {
    return undefined;
  }
  at = close === undefined ? relation.end : close + 1;
  if (verb !== 'insert' && reading.isOperator(at, '*')) {
    at++;
  }
  // Columns follow the name of insert's table, not its alias.
  const alias =
    verb === 'insert' && !reading.is(at, 'as')
      ? { name: undefined, columns: false, end: at }
      : aliasAt(reading, at, verb === 'insert' ? Math.min(at + 2, to) : to);
  const target = { relation, qualifier: reading.slice(alias.written ?? relation.written) };
  if (verb === 'insert') {
    return readInsert(reading, target, alias.end, to, end);
  }
  const use: Use = { ...named(relation), equals: [] };
  reading.reads.push(use);
  const items = [itemOf(relation, alias, use)];
  switch (verb) {
    case 'update':
      return readUpdate(reading, target, use, items, alias.end, to, end);
    case 'delete':
      return readDelete(reading, target, use, items, alias.end, to, end);
    case 'merge':
      return readMerge(reading, target, items, alias.end, to);
  }
}
