import { readControl } from './control.ts';
import type { Nested } from './conditions.ts';
import type { Statement, Verb } from './model.ts';
import { type Findings, Reader } from './reader.ts';
import { type Token, tokenize } from './tokens.ts';

export type { Assignment, Equality, SqlValue, Statement, TableUse, TableWrite, Verb } from './model.ts';

export interface AnalyseOptions {
  /** Functions whose results depend on their arguments alone, in lower case, with their schema if calls name it. */
  readonly pure?: ReadonlySet<string>;
}

/**
 * Each statement of an SQL text, which may hold several, separated by `;`.
 *
 * A `?` is a placeholder of MikroORM. Its value must be a plain one, and no `raw()` fragment, which MikroORM would put in
 * as SQL: analyse the text that is sent if there is one.
 */
export function analyse(sql: string, options: AnalyseOptions = {}): readonly Statement[] {
  const { list: tokens, doubtful } = tokenize(sql);
  const close = matching(tokens);
  if (doubtful || close === undefined) {
    return [UNKNOWN];
  }
  const nested: Nested = { tokens, close };
  const statements: Statement[] = [];
  let from = 0;
  while (from < tokens.length) {
    let to = from;
    let broken = false;
    while (to < tokens.length && tokens[to]!.kind !== ';') {
      const { kind } = tokens[to]!;
      broken ||= kind === 'broken';
      to = kind === '(' || kind === '[' ? close[to]! + 1 : to + 1;
    }
    if (to > from) {
      if (broken) {
        statements.push(UNKNOWN);
      } else if (hasBody(tokens, from, to)) {
        // A function whose body is SQL, with `;` in it. Where it ends is left open.
        statements.push({ verb: 'ddl', reads: [], writes: [], opaque: true }, UNKNOWN);
        return statements;
      } else {
        statements.push(readStatement(sql, nested, from, to, options.pure));
      }
    }
    from = to + 1;
  }
  return statements;
}

const UNKNOWN: Statement = Object.freeze({
  verb: 'unknown',
  reads: Object.freeze([]),
  writes: Object.freeze([]),
  opaque: true,
});

/** The partner of each opening parenthesis; `undefined` if one has none, or within something broken. */
function matching(tokens: readonly Token[]): Int32Array | undefined {
  const close = new Int32Array(tokens.length);
  const open: number[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const { kind } = tokens[at]!;
    if (kind === '(' || kind === '[') {
      open.push(at);
    } else if (kind === ')' || kind === ']') {
      const partner = open.pop();
      if (partner === undefined || tokens[partner]!.kind !== (kind === ')' ? '(' : '[')) {
        return undefined;
      }
      close[partner] = at;
    } else if (open.length > 0 && (kind === 'broken' || kind === ';')) {
      return undefined;
    }
  }
  return open.length === 0 ? close : undefined;
}

/** `create function … begin atomic …; … end` */
function hasBody(tokens: readonly Token[], from: number, to: number): boolean {
  if (!isWord(tokens, from, 'create')) {
    return false;
  }
  for (let at = from; at + 1 < to; at++) {
    if (isWord(tokens, at, 'begin') && isWord(tokens, at + 1, 'atomic')) {
      return true;
    }
  }
  return false;
}

function isWord(tokens: readonly Token[], at: number, text: string): boolean {
  const token = tokens[at];
  return token !== undefined && token.kind === 'word' && token.text === text;
}

function readStatement(
  sql: string,
  nested: Nested,
  from: number,
  to: number,
  pure: ReadonlySet<string> | undefined,
): Statement {
  const { tokens, close } = nested;
  const first = tokens[from]!;
  if (first.kind !== 'word' && first.kind !== '(') {
    return UNKNOWN;
  }
  const reader = new Reader(sql, nested, pure);
  switch (first.text) {
    case '(':
    case 'select':
    case 'with':
    case 'values':
    case 'table':
    case 'insert':
    case 'update':
    case 'delete':
    case 'merge': {
      const verb = reader.statement(from, to, tokens[to - 1]!.end);
      return finished(verb, reader.findings(from, to));
    }
    case 'truncate':
      reader.truncate(from + 1, to);
      return finished('truncate', reader.findings(from, to));
    case 'explain':
      return explained(sql, nested, from + 1, to, pure);
    case 'prepare':
      if (!isWord(tokens, from + 1, 'transaction')) {
        return prepared(sql, nested, from + 1, to, pure);
      }
      break;
    case 'declare': {
      let at = from + 1;
      while (at < to && !isWord(tokens, at, 'for')) {
        at++;
      }
      if (at === to) {
        return UNKNOWN;
      }
      reader.statement(at + 1, to);
      const { reads, writes, opaque, settings } = reader.findings(at + 1, to);
      return { verb: 'harmless', reads, writes, opaque, ...(settings && { settings }) };
    }
    case 'copy': {
      if (tokens[from + 1]?.kind === '(' && from + 1 < to) {
        const end = close[from + 1]!;
        const verb = reader.statement(from + 2, end);
        const found = finished(verb, reader.findings(from + 2, end));
        return verb === 'select' ? without(found, 'harmless') : found;
      }
      const writes = reader.copy(isWord(tokens, from + 1, 'binary') ? from + 2 : from + 1, to);
      const found = finished(writes ? 'insert' : 'harmless', reader.findings(from, to));
      return writes ? { ...found, opaque: true } : found;
    }
    default:
  }
  return readControl(tokens, from, to) ?? UNKNOWN;
}

function finished(verb: Verb, found: Findings): Statement {
  if (found.into) {
    return { verb: 'ddl', reads: found.reads, writes: found.writes, opaque: true };
  }
  return {
    verb,
    reads: found.reads,
    writes: found.writes,
    ...(verb === 'select' && found.uncacheable !== undefined && { uncacheable: found.uncacheable }),
    ...(found.settings && { settings: true }),
    opaque: found.opaque,
  };
}

function without({ uncacheable: _uncacheable, ...rest }: Statement, verb: Verb): Statement {
  return { ...rest, verb };
}

/** Only with ANALYZE is it run. */
function explained(
  sql: string,
  nested: Nested,
  from: number,
  to: number,
  pure: ReadonlySet<string> | undefined,
): Statement {
  const { tokens, close } = nested;
  let at = from;
  let runs = false;
  if (tokens[at]?.kind === '(' && at < to) {
    const first = tokens[at + 1]!;
    if (first.kind === 'word' && first.text !== 'select' && first.text !== 'with' && first.text !== 'values') {
      for (; at < close[from]!; at++) {
        runs ||= tokens[at]!.text === 'analyze' || tokens[at]!.text === 'analyse';
      }
      at++;
    }
  }
  for (; at < to; at++) {
    if (isWord(tokens, at, 'analyze') || isWord(tokens, at, 'analyse')) {
      runs = true;
    } else if (!isWord(tokens, at, 'verbose')) {
      break;
    }
  }
  if (!runs) {
    return { verb: 'harmless', reads: [], writes: [], opaque: false };
  }
  return at === to || isWord(tokens, at, 'explain') || isWord(tokens, at, 'prepare')
    ? UNKNOWN
    : withoutResult(readStatement(sql, nested, at, to, pure), 'explain');
}

/** `prepare name [(types)] as …` */
function prepared(
  sql: string,
  nested: Nested,
  from: number,
  to: number,
  pure: ReadonlySet<string> | undefined,
): Statement {
  const { tokens, close } = nested;
  let at = from + 1;
  if (tokens[at]?.kind === '(' && at < to) {
    at = close[at]! + 1;
  }
  const body = tokens[at + 1];
  if (!isWord(tokens, at, 'as') || at + 1 >= to || body === undefined) {
    return UNKNOWN;
  }
  if (body.kind === 'label') {
    // Behind `as` words are taken for names. In place, as a copy for each of many statements would take its time.
    (tokens as Token[])[at + 1] = { ...body, kind: 'word' };
  }
  if (isWord(tokens, at + 1, 'prepare') || isWord(tokens, at + 1, 'explain')) {
    return UNKNOWN;
  }
  const found = withoutResult(readStatement(sql, nested, at + 1, to, pure), 'prepare');
  return found.writes.length > 0 ? { ...found, opaque: true } : found;
}

/** Its rows are none of the query's, and nothing can be appended to it. */
function withoutResult(found: Statement, reason: string): Statement {
  const writes = found.writes.map(({ returning: _returning, ...write }) => write);
  return found.verb === 'select' ? { ...found, writes, uncacheable: reason } : { ...found, writes };
}

/** {@link analyse} with a memory for texts that repeat, as those of prepared and generated statements do. */
export class Analyser {
  readonly #options: AnalyseOptions;
  readonly #size: number;
  readonly #known = new Map<string, readonly Statement[]>();

  /** @param size how many texts are remembered */
  constructor(options: AnalyseOptions = {}, size = 2_000) {
    this.#options = options;
    this.#size = size;
  }

  analyse(sql: string): readonly Statement[] {
    // Long ones are lists of values, each another.
    if (sql.length > LONG) {
      return analyse(sql, this.#options);
    }
    const known = this.#known.get(sql);
    if (known !== undefined) {
      this.#known.delete(sql);
      this.#known.set(sql, known);
      return known;
    }
    const statements = analyse(sql, this.#options);
    this.#known.set(sql, statements);
    if (this.#known.size > this.#size) {
      this.#known.delete(this.#known.keys().next().value as string);
    }
    return statements;
  }
}

const LONG = 10_000;
