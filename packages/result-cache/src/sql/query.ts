import { WRITES } from './keywords.ts';
import type { Verb } from './model.ts';
import { DEPTH, type Reading } from './reading.ts';
import { readBody } from './select.ts';
import { readWith } from './with.ts';
import { readWrite } from './write.ts';

/** A select or a write with the WITH before it, in a scope of its own; @returns where it ends. */
export function readQuery(reading: Reading, from: number, to: number, end?: number): { verb: Verb; at: number } {
  if (++reading.depth > DEPTH) {
    reading.depth--;
    reading.lose('it is nested too deeply');
    return { verb: 'select', at: to };
  }
  const scope = reading.scope;
  const grouping = reading.grouping;
  reading.grouping = false;
  const at = reading.is(from, 'with') ? readWith(reading, from + 1, to) : from;
  const first = reading.tokens[at];
  let result: { verb: Verb; at: number };
  if (at < to && first?.kind === 'word' && WRITES.has(first.text)) {
    const verb = first.text as 'insert' | 'update' | 'delete' | 'merge';
    result = { verb, at: readWrite(reading, verb, at + 1, to, end) };
  } else {
    result = { verb: 'select', at: readBody(reading, at, to) };
  }
  reading.scope = scope;
  reading.grouping = grouping;
  reading.depth--;
  return result;
}
