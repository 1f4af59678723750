import { WRITES } from './keywords.ts';
import type { Reading } from './reading.ts';

/** `[recursive] a [(…)] as [[not] materialized] (…) [search …] [cycle …], …` @returns where the main statement is */
export function readWith(reading: Reading, from: number, to: number): number {
  const recursive = reading.is(from, 'recursive');
  const names = new Map<string, number>();
  const around = reading.scope;
  let at = recursive ? from + 1 : from;
  const bodies: { from: number; to: number; seen: number }[] = [];
  for (;;) {
    const name = reading.tokens[at];
    if (at >= to || name === undefined || (name.kind !== 'word' && name.kind !== 'name')) {
      reading.lose('the name of a CTE');
      reading.opaque = true;
      return to;
    }
    names.set(name.text, bodies.length);
    at++;
    if (reading.tokens[at]?.kind === '(') {
      at = reading.close[at]! + 1;
    }
    while (reading.is(at, 'as') || reading.is(at, 'not') || reading.is(at, 'materialized')) {
      at++;
    }
    if (at >= to || reading.tokens[at]?.kind !== '(') {
      reading.lose('a CTE');
      reading.opaque = true;
      return to;
    }
    bodies.push({ from: at + 1, to: reading.close[at]!, seen: bodies.length });
    at = reading.close[at]! + 1;
    while (at < to && !startsMain(reading, at) && reading.tokens[at]!.kind !== ',') {
      // `search depth first by a, b set c`, `cycle a, b set c using d`
      const clause = reading.tokens[at]!;
      if (clause.kind !== 'word' || (clause.text !== 'search' && clause.text !== 'cycle')) {
        break;
      }
      while (at < to && !reading.is(at, 'set')) {
        at++;
      }
      at += 2;
      while (at < to && (reading.is(at, 'to') || reading.is(at, 'default') || reading.is(at, 'using'))) {
        at += 2;
      }
    }
    if (at >= to || reading.tokens[at]!.kind !== ',') {
      break;
    }
    at++;
  }
  for (const body of bodies) {
    reading.scope = { names, seen: recursive ? bodies.length : body.seen, around };
    reading.queryWithin(body.from, body.to, false);
  }
  reading.scope = { names, seen: bodies.length, around };
  return at;
}

function startsMain(reading: Reading, at: number): boolean {
  const token = reading.tokens[at]!;
  return (
    token.kind === '(' ||
    (token.kind === 'word' && (WRITES.has(token.text) || token.text === 'select' || token.text === 'values'))
  );
}

/** Whether a name without a schema is one that a WITH gives, rather than a table. */
export function isCte(reading: Reading, name: string): boolean {
  for (let scope = reading.scope; scope !== undefined; scope = scope.around) {
    const index = scope.names.get(name);
    if (index !== undefined && index < scope.seen) {
      return true;
    }
  }
  return false;
}
