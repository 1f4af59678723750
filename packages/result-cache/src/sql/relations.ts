import { NO_ALIAS } from './keywords.ts';
import { isName, type Reading, type Use } from './reading.ts';
import type { Token } from './tokens.ts';
import { isCte } from './with.ts';

/** A relation as it is written. */
export interface Relation {
  readonly schema: string | undefined;
  /** `undefined` if it cannot be told. */
  readonly name: string | undefined;
  /** As written, without its schema. */
  readonly written: Token;
  readonly end: number;
}

const SYSTEM_SCHEMA = /^(?:pg_.*|information_schema)$/;

/** `[schema.]name` */
export function relationAt(reading: Reading, from: number, to: number): Relation | undefined {
  let at = from;
  let schema: Token | undefined;
  let name: Token | undefined;
  for (;;) {
    const token = reading.tokens[at];
    if (at >= to || token === undefined || !isName(token)) {
      return undefined;
    }
    schema = name;
    name = token;
    at++;
    if (at >= to || reading.tokens[at]!.kind !== '.') {
      break;
    }
    at++;
  }
  return {
    schema: schema?.text,
    name: name.kind === 'blank' || schema?.kind === 'blank' ? undefined : name.text,
    written: name,
    end: at,
  };
}

/** `[as] [alias] [(…)]` */
export function aliasAt(
  reading: Reading,
  from: number,
  to: number,
): { name: string | undefined; written?: Token; columns: boolean; end: number } {
  let at = from;
  let written: Token | undefined;
  const as = at < to && reading.is(at, 'as');
  at = as ? at + 1 : at;
  const token = reading.tokens[at];
  if (at < to && token !== undefined && isName(token) && (token.kind !== 'word' || !NO_ALIAS.has(token.text))) {
    written = token;
    at++;
  }
  let columns = false;
  if ((written !== undefined || as) && at < to && reading.tokens[at]!.kind === '(') {
    columns = true;
    at = reading.close[at]! + 1;
  }
  return { name: written?.text, ...(written && { written }), columns, end: at };
}

/** Notes that a relation is read; @returns its use, unless it is no table. */
export function noteUse(reading: Reading, relation: Relation): Use | undefined {
  const { schema, name } = relation;
  if (name === undefined) {
    reading.refuse('reads from a table that cannot be told');
    reading.lost = true;
    return undefined;
  }
  if (schema === undefined && isCte(reading, name)) {
    return undefined;
  }
  if (schema === undefined ? name.startsWith('pg_') : SYSTEM_SCHEMA.test(schema)) {
    reading.refuse(`reads ${name}, of the system`);
  }
  const use: Use = { ...named(relation), equals: [] };
  reading.reads.push(use);
  return use;
}

/** The names of a relation whose name is known, as findings have them. */
export function named({ schema, name }: Relation): { schema?: string; name: string } {
  return schema === undefined ? { name: name! } : { schema, name: name! };
}
