import { type Nested, plainValue, plainValues, readEqualities, splitAtCommas } from './conditions.ts';
import { GRAMMAR_CALLS, HARMLESS, MOVING, movesWithTime, PURE } from './functions.ts';
import {
  CLAUSES,
  EFFECTS,
  INFIX,
  JOIN_CLAUSES,
  MISPLACED,
  NO_ALIAS,
  NO_CALL,
  SECOND_WORDS,
  SET_CLAUSES,
  SYSTEM_COLUMNS,
} from './keywords.ts';
import type { Assignment, Equality, SqlValue, TableUse, TableWrite, Verb } from './model.ts';
import type { Token } from './tokens.ts';

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

interface Use {
  readonly schema?: string;
  readonly name: string;
  equals: Equality[];
}

/** What stands in a FROM, or the target of a write, as the WHERE of its level sees it. */
interface Item {
  /** What its columns are qualified with; `undefined` if they cannot be. */
  readonly qualifier: string | undefined;
  readonly schema?: string | undefined;
  /** `undefined` for what is no table. */
  readonly use: Use | undefined;
}

/** The names that a WITH gives; a CTE that is not recursive sees those before it. */
interface Scope {
  readonly names: Map<string, number>;
  readonly seen: number;
  readonly around: Scope | undefined;
}

interface Relation {
  readonly schema: string | undefined;
  /** `undefined` if it cannot be told. */
  readonly name: string | undefined;
  /** As written, without its schema. */
  readonly written: Token;
  readonly end: number;
}

/** Nobody writes deeper queries, and a depth without bounds is a stack without bounds. */
const DEPTH = 150;
/** The clauses of a select, in their order. */
const SELECT_ORDER = ['into', 'from', 'where', 'group', 'having', 'window'];
const SET_OPERATIONS = new Set(['union', 'intersect', 'except']);
const TAIL = new Set(['order', 'limit', 'offset', 'fetch', 'for']);
const JOINS = new Set(['natural', 'inner', 'left', 'right', 'full', 'outer', 'cross', 'join']);
const WRITES = new Set(['insert', 'update', 'delete', 'merge']);
/** Grammar of which FROM is a part. */
const FROM_INSIDE = new Set(['extract', 'substring', 'trim', 'overlay', 'position']);
const SYSTEM_SCHEMA = /^(?:pg_.*|information_schema)$/;

/**
 * Reads selects and writes, clause by clause: finds the relations, follows expressions only as far as their functions and
 * sub-selects. What it does not understand makes a select uncacheable and a write opaque.
 */
export class Reader {
  readonly #source: string;
  readonly #sql: Nested;
  readonly #tokens: readonly Token[];
  readonly #close: Int32Array;
  readonly #pure: ReadonlySet<string> | undefined;
  readonly #reads: Use[] = [];
  readonly #writes: TableWrite[] = [];
  #uncacheable: string | undefined;
  #opaque = false;
  #settings = false;
  #into = false;
  #lost = false;
  #scope: Scope | undefined;
  #depth = 0;
  /** Whether columns of an outer query may be meant. */
  #correlated = false;
  /** Whether it is in a GROUP BY. */
  #grouping = false;

  /** @param pure functions that the user vouches for */
  constructor(source: string, sql: Nested, pure: ReadonlySet<string> | undefined) {
    this.#source = source;
    this.#sql = sql;
    this.#tokens = sql.tokens;
    this.#close = sql.close;
    this.#pure = pure;
  }

  /** What was found in the tokens of `statement()`. */
  findings(from: number, to: number): Findings {
    if (this.#lost && !this.#opaque) {
      this.#opaque = this.#mayHaveEffects(from, to);
    }
    if (this.#writes.length > 0) {
      this.#uncacheable ??= 'it writes';
    }
    return {
      reads: this.#reads,
      writes: this.#writes,
      uncacheable: this.#uncacheable,
      opaque: this.#opaque,
      settings: this.#settings,
      into: this.#into,
    };
  }

  /**
   * Reads a select or a write that goes from one token up to another.
   *
   * @param end where it ends in the text, if a RETURNING can be appended there
   */
  statement(from: number, to: number, end?: number): Verb {
    const { verb, at } = this.#query(from, to, end);
    if (at !== to) {
      this.#lose('what follows a query');
    }
    return verb;
  }

  /** `truncate [table] [only] a [*], … [restart identity] [cascade]` */
  truncate(from: number, to: number): void {
    let at = this.#is(from, 'table') ? from + 1 : from;
    const written: TableWrite[] = [];
    for (;;) {
      at = this.#is(at, 'only') ? at + 1 : at;
      const open = this.#tokens[at]?.kind === '(';
      const relation = this.#relation(open ? at + 1 : at, to);
      if (relation?.name === undefined) {
        this.#opaque = true;
        break;
      }
      written.push({ ...named(relation), how: 'truncate', equals: [], sets: [] });
      at = open ? relation.end + 1 : relation.end;
      if (this.#tokens[at]?.kind !== ',' || at >= to) {
        break;
      }
      at++;
    }
    let cascade = false;
    for (; at < to; at++) {
      cascade ||= this.#is(at, 'cascade');
    }
    for (const write of written) {
      this.#writes.push(cascade ? { ...write, cascade } : write);
    }
  }

  /** `copy t [(…)] from …` and `copy t to …`; @returns whether it is from */
  copy(from: number, to: number): boolean {
    const relation = this.#relation(from, to);
    let at = relation?.end ?? to;
    if (this.#tokens[at]?.kind === '(') {
      at = this.#close[at]! + 1;
    }
    const isFrom = !this.#is(at, 'to');
    if (relation?.name === undefined) {
      this.#opaque = true;
    } else if (isFrom) {
      this.#writes.push({ ...named(relation), how: 'insert', equals: [], sets: [] });
    } else {
      this.#reads.push({ ...named(relation), equals: [] });
    }
    return isFrom;
  }

  #is(at: number, text: string): boolean {
    const token = this.#tokens[at];
    return token !== undefined && token.kind === 'word' && token.text === text;
  }

  #refuse(reason: string): void {
    this.#uncacheable ??= reason;
  }

  #lose(what: string): void {
    this.#lost = true;
    this.#refuse(`cannot be read: ${what}`);
  }

  /** Whether the tokens hold a word that writes or a call that is not known. */
  #mayHaveEffects(from: number, to: number): boolean {
    for (let at = from; at < to; at++) {
      const token = this.#tokens[at]!;
      if (token.kind === 'word' && EFFECTS.has(token.text)) {
        return true;
      }
      if (token.kind === '(' && this.#isCall(at)) {
        const before = this.#opaque;
        this.#call(at);
        if (this.#opaque !== before) {
          return true;
        }
      }
    }
    return false;
  }

  // Queries

  #query(from: number, to: number, end?: number): { verb: Verb; at: number } {
    if (++this.#depth > DEPTH) {
      this.#depth--;
      this.#lose('it is nested too deeply');
      return { verb: 'select', at: to };
    }
    const scope = this.#scope;
    const grouping = this.#grouping;
    this.#grouping = false;
    const at = this.#is(from, 'with') ? this.#with(from + 1, to) : from;
    const first = this.#tokens[at];
    let result: { verb: Verb; at: number };
    if (at < to && first?.kind === 'word' && WRITES.has(first.text)) {
      const verb = first.text as 'insert' | 'update' | 'delete' | 'merge';
      result = { verb, at: this.#write(verb, at + 1, to, end) };
    } else {
      result = { verb: 'select', at: this.#body(at, to) };
    }
    this.#scope = scope;
    this.#grouping = grouping;
    this.#depth--;
    return result;
  }

  /** A query in parentheses, whose end is known. */
  #queryWithin(from: number, to: number, correlated: boolean): void {
    const before = this.#correlated;
    this.#correlated ||= correlated;
    if (this.#query(from, to).at !== to) {
      this.#lose('what follows a query');
    }
    this.#correlated = before;
  }

  /** `[recursive] a [(…)] as [[not] materialized] (…) [search …] [cycle …], …` @returns where the main statement is */
  #with(from: number, to: number): number {
    const recursive = this.#is(from, 'recursive');
    const names = new Map<string, number>();
    const around = this.#scope;
    let at = recursive ? from + 1 : from;
    const bodies: { from: number; to: number; seen: number }[] = [];
    for (;;) {
      const name = this.#tokens[at];
      if (at >= to || name === undefined || (name.kind !== 'word' && name.kind !== 'name')) {
        this.#lose('the name of a CTE');
        this.#opaque = true;
        return to;
      }
      names.set(name.text, bodies.length);
      at++;
      if (this.#tokens[at]?.kind === '(') {
        at = this.#close[at]! + 1;
      }
      while (this.#is(at, 'as') || this.#is(at, 'not') || this.#is(at, 'materialized')) {
        at++;
      }
      if (at >= to || this.#tokens[at]?.kind !== '(') {
        this.#lose('a CTE');
        this.#opaque = true;
        return to;
      }
      bodies.push({ from: at + 1, to: this.#close[at]!, seen: bodies.length });
      at = this.#close[at]! + 1;
      while (at < to && !this.#startsMain(at) && this.#tokens[at]!.kind !== ',') {
        // `search depth first by a, b set c`, `cycle a, b set c using d`
        const clause = this.#tokens[at]!;
        if (clause.kind !== 'word' || (clause.text !== 'search' && clause.text !== 'cycle')) {
          break;
        }
        while (at < to && !this.#is(at, 'set')) {
          at++;
        }
        at += 2;
        while (at < to && (this.#is(at, 'to') || this.#is(at, 'default') || this.#is(at, 'using'))) {
          at += 2;
        }
      }
      if (at >= to || this.#tokens[at]!.kind !== ',') {
        break;
      }
      at++;
    }
    for (const body of bodies) {
      this.#scope = { names, seen: recursive ? bodies.length : body.seen, around };
      this.#queryWithin(body.from, body.to, false);
    }
    this.#scope = { names, seen: bodies.length, around };
    return at;
  }

  #startsMain(at: number): boolean {
    const token = this.#tokens[at]!;
    return (
      token.kind === '(' ||
      (token.kind === 'word' && (WRITES.has(token.text) || token.text === 'select' || token.text === 'values'))
    );
  }

  #isCte(name: string): boolean {
    for (let scope = this.#scope; scope !== undefined; scope = scope.around) {
      const index = scope.names.get(name);
      if (index !== undefined && index < scope.seen) {
        return true;
      }
    }
    return false;
  }

  /** Selects, VALUES and TABLE with what combines and orders them. */
  #body(from: number, to: number): number {
    let at = from;
    for (;;) {
      const token = this.#tokens[at];
      if (at < to && token?.kind === '(') {
        this.#queryWithin(at + 1, this.#close[at]!, false);
        at = this.#close[at]! + 1;
      } else if (at < to && this.#is(at, 'select')) {
        at = this.#select(at + 1, to);
      } else if (at < to && this.#is(at, 'values')) {
        at = this.#expression(at + 1, to, CLAUSES);
      } else if (at < to && this.#is(at, 'table')) {
        at = this.#is(at + 1, 'only') ? at + 2 : at + 1;
        const relation = this.#relation(at, to);
        if (relation === undefined) {
          this.#lose('the name of a table');
          return to;
        }
        this.#use(relation);
        at = this.#isOperator(relation.end, '*') ? relation.end + 1 : relation.end;
      } else {
        this.#lose('a query');
        return to;
      }
      const operation = this.#tokens[at];
      if (at >= to || operation?.kind !== 'word' || !SET_OPERATIONS.has(operation.text)) {
        break;
      }
      at++;
      if (this.#is(at, 'all') || this.#is(at, 'distinct')) {
        at++;
      }
    }
    while (at < to) {
      const token = this.#tokens[at]!;
      if (token.kind !== 'word' || !TAIL.has(token.text)) {
        break;
      }
      if (token.text === 'for') {
        let text = 'for';
        for (let next = at + 1; next < to && next < at + 5 && this.#tokens[next]!.kind === 'word'; next++) {
          text += ` ${this.#tokens[next]!.text}`;
          if (this.#is(next, 'update') || this.#is(next, 'share')) {
            break;
          }
        }
        this.#refuse(text);
      }
      at = this.#expression(at + 1, to, CLAUSES);
    }
    return at;
  }

  #select(from: number, to: number): number {
    const items: Item[] = [];
    let at = this.#expression(from, to, CLAUSES);
    let last = -1;
    for (;;) {
      const token = this.#tokens[at];
      if (at >= to || token?.kind !== 'word') {
        return at;
      }
      const place = SELECT_ORDER.indexOf(token.text);
      if (place !== -1 && place <= last) {
        this.#lose(`${token.text} in another place`);
      }
      last = place;
      switch (token.text) {
        case 'into':
          this.#into = true;
          at++;
          while (at < to && (this.#tokens[at]!.kind !== 'word' || !CLAUSES.has(this.#tokens[at]!.text))) {
            at++;
          }
          break;
        case 'from':
          at = this.#from(at + 1, to, items);
          break;
        case 'where':
          at = this.#where(at + 1, to, items);
          break;
        case 'group':
          this.#grouping = true;
          at = this.#expression(at + 1, to, CLAUSES);
          this.#grouping = false;
          break;
        case 'having':
        case 'window':
          at = this.#expression(at + 1, to, CLAUSES);
          break;
        default:
          return at;
      }
    }
  }

  // FROM

  /** @returns where the clause ends */
  #from(from: number, to: number, items: Item[]): number {
    let at = from;
    for (;;) {
      at = this.#item(at, to, items);
      for (;;) {
        const token = this.#tokens[at];
        if (at >= to || token === undefined) {
          return at;
        }
        if (token.kind === ',') {
          at++;
          break;
        }
        if (token.kind !== 'word') {
          return at;
        }
        if (JOINS.has(token.text)) {
          while (at < to && !this.#is(at, 'join')) {
            if (!JOINS.has(this.#tokens[at]!.text)) {
              this.#lose('a join');
              return to;
            }
            at++;
          }
          at++;
          break;
        }
        if (token.text === 'on' && !this.#is(at + 1, 'conflict')) {
          at = this.#expression(at + 1, to, JOIN_CLAUSES, true);
        } else if (token.text === 'using' && this.#tokens[at + 1]?.kind === '(') {
          at = this.#close[at + 1]! + 1;
          if (this.#is(at, 'as')) {
            at += 2;
          }
        } else if (token.text === 'tablesample') {
          this.#refuse('tablesample');
          while (at < to && this.#tokens[at]!.kind !== '(') {
            at++;
          }
          if (at < to) {
            this.#expression(at + 1, this.#close[at]!);
            at = this.#close[at]! + 1;
          }
          if (this.#is(at, 'repeatable') && this.#tokens[at + 1]?.kind === '(') {
            this.#expression(at + 2, this.#close[at + 1]!);
            at = this.#close[at + 1]! + 1;
          }
        } else {
          return at;
        }
      }
    }
  }

  #item(from: number, to: number, items: Item[]): number {
    let at = from;
    const lateral = this.#is(at, 'lateral');
    at = lateral ? at + 1 : at;
    if (this.#is(at, 'only')) {
      at++;
      if (this.#tokens[at]?.kind === '(') {
        const relation = this.#relation(at + 1, this.#close[at]!);
        if (relation === undefined) {
          this.#lose('what follows only');
          return to;
        }
        return this.#aliased({ ...relation, end: this.#close[at]! + 1 }, to, items);
      }
    }
    const token = this.#tokens[at];
    if (at >= to || token === undefined) {
      this.#lose('the end of from');
      return to;
    }
    if (token.kind === '(') {
      const close = this.#close[at]!;
      if (this.#startsQuery(at + 1, close)) {
        this.#queryWithin(at + 1, close, lateral);
        const alias = this.#alias(close + 1, to);
        items.push({ qualifier: alias.name, use: undefined });
        return alias.end;
      }
      if (++this.#depth > DEPTH) {
        this.#depth--;
        this.#lose('it is nested too deeply');
        return to;
      }
      const own: Item[] = [];
      if (this.#from(at + 1, close, own) !== close) {
        this.#lose('a join in parentheses');
      }
      this.#depth--;
      const alias = this.#alias(close + 1, to);
      if (alias.name === undefined) {
        items.push(...own);
      } else {
        items.push({ qualifier: alias.name, use: undefined });
      }
      return alias.end;
    }
    if (token.kind === 'word' && MOVING.has(token.text)) {
      this.#refuse(token.text);
      if (this.#tokens[at + 1]?.kind === '(') {
        at = this.#close[at + 1]!;
      }
      const alias = this.#alias(at + 1, to);
      items.push({ qualifier: alias.name ?? token.text, use: undefined });
      return alias.end;
    }
    if (
      token.kind === 'word' &&
      token.text === 'rows' &&
      this.#is(at + 1, 'from') &&
      this.#tokens[at + 2]?.kind === '('
    ) {
      const close = this.#close[at + 2]!;
      this.#expression(at + 3, close);
      return this.#afterFunction(close + 1, to, undefined, items);
    }
    const relation = this.#relation(at, to);
    if (relation === undefined) {
      this.#lose('an item of from');
      return to;
    }
    if (relation.end < to && this.#tokens[relation.end]?.kind === '(') {
      this.#inside(relation.end);
      return this.#afterFunction(this.#close[relation.end]! + 1, to, relation.name, items);
    }
    if (relation.written.kind === 'word' && NO_ALIAS.has(relation.written.text)) {
      this.#lose('a keyword in from');
      return to;
    }
    return this.#aliased(relation, to, items);
  }

  /** `[with ordinality] [as] [alias] [(…)]` */
  #afterFunction(from: number, to: number, name: string | undefined, items: Item[]): number {
    const at = this.#is(from, 'with') && this.#is(from + 1, 'ordinality') ? from + 2 : from;
    const alias = this.#alias(at, to);
    items.push({ qualifier: alias.name ?? name, use: undefined });
    return alias.end;
  }

  /** Adds the use of a relation that is read, with the alias behind it. */
  #aliased(relation: Relation, to: number, items: Item[]): number {
    const use = this.#use(relation);
    const alias = this.#alias(this.#isOperator(relation.end, '*') ? relation.end + 1 : relation.end, to);
    items.push(itemOf(relation, alias, use));
    return alias.end;
  }

  #use(relation: Relation): Use | undefined {
    const { schema, name } = relation;
    if (name === undefined) {
      this.#refuse('reads from a table that cannot be told');
      this.#lost = true;
      return undefined;
    }
    if (schema === undefined && this.#isCte(name)) {
      return undefined;
    }
    if (schema === undefined ? name.startsWith('pg_') : SYSTEM_SCHEMA.test(schema)) {
      this.#refuse(`reads ${name}, of the system`);
    }
    const use: Use = { ...named(relation), equals: [] };
    this.#reads.push(use);
    return use;
  }

  /** `[schema.]name` */
  #relation(from: number, to: number): Relation | undefined {
    let at = from;
    let schema: Token | undefined;
    let name: Token | undefined;
    for (;;) {
      const token = this.#tokens[at];
      if (at >= to || token === undefined || !isName(token)) {
        return undefined;
      }
      schema = name;
      name = token;
      at++;
      if (at >= to || this.#tokens[at]!.kind !== '.') {
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

  #alias(from: number, to: number): { name: string | undefined; written?: Token; columns: boolean; end: number } {
    let at = from;
    let written: Token | undefined;
    const as = at < to && this.#is(at, 'as');
    at = as ? at + 1 : at;
    const token = this.#tokens[at];
    if (at < to && token !== undefined && isName(token) && (token.kind !== 'word' || !NO_ALIAS.has(token.text))) {
      written = token;
      at++;
    }
    let columns = false;
    if ((written !== undefined || as) && at < to && this.#tokens[at]!.kind === '(') {
      columns = true;
      at = this.#close[at]! + 1;
    }
    return { name: written?.text, ...(written && { written }), columns, end: at };
  }

  #where(from: number, to: number, items: readonly Item[]): number {
    const end = this.#expression(from, to, CLAUSES);
    if (items.some(item => item.use !== undefined)) {
      for (const { path, values } of readEqualities(this.#sql, from, end)) {
        const item = this.#itemOf(path, items);
        if (item?.use) {
          item.use.equals.push({ column: path.at(-1)!, values });
        }
      }
    }
    return end;
  }

  #itemOf(path: readonly string[], items: readonly Item[]): Item | undefined {
    if (path.length === 1) {
      // In a sub-select a column that its table does not have is one of the query around it.
      return items.length === 1 && !this.#correlated ? items[0] : undefined;
    }
    const table = path.at(-2)!;
    const found = items.filter(({ qualifier }) => qualifier === table);
    if (found.length !== 1 || (path.length === 3 && found[0]!.schema !== path[0])) {
      return undefined;
    }
    return found[0];
  }

  // Expressions

  /**
   * Goes through an expression, or a list of them, until a word that ends it.
   *
   * @param comma whether a comma ends it as well
   * @param within the function that it is an argument of
   */
  #expression(from: number, to: number, stop?: ReadonlySet<string>, comma = false, within?: string): number {
    const tokens = this.#tokens;
    let cases = 0;
    for (let at = from; at < to; at++) {
      const token = tokens[at]!;
      switch (token.kind) {
        case 'word':
          if (stop !== undefined && cases <= 0 && stop.has(token.text) && this.#isClause(at)) {
            return at;
          }
          if (token.text === 'case') {
            cases++;
          } else if (token.text === 'end') {
            cases--;
          } else if (MISPLACED.has(token.text)) {
            if (token.text !== 'from' || (!this.#isDistinctFrom(at) && !(within && FROM_INSIDE.has(within)))) {
              this.#lose(`${token.text} in an expression`);
            }
          } else if (MOVING.has(token.text)) {
            this.#refuse(token.text);
          } else if (SYSTEM_COLUMNS.has(token.text)) {
            this.#refuse(`reads ${token.text}`);
          } else if (token.text === 'timetz' && tokens[at - 1]?.text === '::') {
            this.#refuse('casts to timetz');
          }
          break;
        case 'name':
        case 'label':
          if (SYSTEM_COLUMNS.has(token.text) || token.text === 'timetz') {
            this.#refuse(`reads ${token.text}`);
          }
          break;
        case 'string':
        case 'odd':
          if (token.end - token.start >= 5 && movesWithTime(this.#source.slice(token.start, token.end))) {
            this.#refuse('a literal that names a time');
          }
          break;
        case '(':
          this.#inside(at);
          at = this.#close[at]!;
          break;
        case '[':
          if (++this.#depth > DEPTH) {
            this.#lose('it is nested too deeply');
          } else {
            this.#expression(at + 1, this.#close[at]!);
          }
          this.#depth--;
          at = this.#close[at]!;
          break;
        case ',':
          if (comma) {
            return at;
          }
          break;
        default:
      }
    }
    return to;
  }

  /** Whether a word begins a clause, and is not a part of an expression. */
  #isClause(at: number): boolean {
    switch (this.#tokens[at]!.text) {
      case 'group':
      case 'order':
        return this.#is(at + 1, 'by');
      case 'from':
        return !this.#isDistinctFrom(at);
      case 'on':
        return this.#tokens[at - 1]?.text !== 'distinct';
      case 'left':
      case 'right':
        return this.#tokens[at + 1]?.kind !== '(';
      default:
        return true;
    }
  }

  /** `a is [not] distinct from b`, unlike `select distinct from t`. */
  #isDistinctFrom(at: number): boolean {
    return this.#is(at - 1, 'distinct') && (this.#is(at - 2, 'is') || this.#is(at - 2, 'not'));
  }

  /** Goes through what stands in parentheses. */
  #inside(open: number): void {
    const close = this.#close[open]!;
    if (++this.#depth > DEPTH) {
      this.#lose('it is nested too deeply');
    } else if (this.#startsQuery(open + 1, close)) {
      this.#queryWithin(open + 1, close, true);
      if (this.#isCall(open)) {
        this.#call(open);
      }
    } else if (this.#isCall(open)) {
      this.#expression(open + 1, close, undefined, false, this.#call(open));
    } else {
      this.#expression(open + 1, close);
    }
    this.#depth--;
  }

  /** Whether what goes up to `close` is a query, rather than an expression that begins with one. */
  #startsQuery(at: number, close: number, depth = 0): boolean {
    const token = this.#tokens[at];
    if (at >= close || token === undefined) {
      return false;
    }
    if (token.kind === '(') {
      const end = this.#close[at]!;
      const next = this.#tokens[end + 1];
      return (
        (end + 1 === close || (next?.kind === 'word' && (SET_OPERATIONS.has(next.text) || TAIL.has(next.text)))) &&
        depth < DEPTH &&
        this.#startsQuery(at + 1, end, depth + 1)
      );
    }
    if (token.kind !== 'word') {
      return false;
    }
    switch (token.text) {
      case 'select':
      case 'table':
      case 'with':
        return true;
      case 'values':
        return this.#tokens[at + 1]?.kind === '(';
      case 'insert':
      case 'update':
      case 'delete':
      case 'merge':
        // Columns may have these names; no column is followed by another name.
        return depth === 0 && this.#tokens[at + 1]?.kind === 'word';
      default:
        return false;
    }
  }

  /** Whether a parenthesis holds arguments. */
  #isCall(open: number): boolean {
    const before = this.#tokens[open - 1];
    if (before === undefined || !isName(before)) {
      return false;
    }
    if (before.kind === 'word') {
      const { text } = before;
      if (NO_CALL.has(text)) {
        return GRAMMAR_CALLS.has(text);
      }
      const ahead = this.#tokens[open - 2];
      if (ahead?.kind === 'word' && SECOND_WORDS.get(text)?.has(ahead.text)) {
        return false;
      }
      if (INFIX.has(text)) {
        return !this.#isOperand(this.#is(open - 2, 'not') ? open - 3 : open - 2);
      }
      if (this.#grouping && (text === 'cube' || text === 'rollup')) {
        return false;
      }
    }
    // A type: `a::numeric(10, 2)`, `cast(a as my.type(3))`.
    const first = this.#nameStart(open - 1);
    const ahead = this.#tokens[first - 1];
    return !(
      (ahead?.kind === 'operator' && ahead.text === '::') ||
      (ahead?.kind === 'word' && ahead.text === 'as' && before.kind !== 'word')
    );
  }

  /** Whether an operand ends there, behind which no call can be. */
  #isOperand(at: number): boolean {
    const token = this.#tokens[at];
    switch (token?.kind) {
      case 'word':
        return !NO_CALL.has(token.text) && !CLAUSES.has(token.text) && !NO_ALIAS.has(token.text);
      case 'name':
      case 'label':
      case 'blank':
      case 'string':
      case 'odd':
      case 'number':
      case 'parameter':
      case ')':
      case ']':
        return true;
      default:
        return false;
    }
  }

  #nameStart(last: number): number {
    let first = last;
    while (first >= 2 && this.#tokens[first - 1]!.kind === '.' && isName(this.#tokens[first - 2]!)) {
      first -= 2;
    }
    return first;
  }

  /** Notes what a function may do; @returns its name */
  #call(open: number): string {
    const first = this.#nameStart(open - 1);
    const { kind, text: name } = this.#tokens[open - 1]!;
    const schema = first === open - 1 ? undefined : this.#tokens[open - 3]!.text;
    const full = schema === undefined ? name : `${schema}.${name}`;
    if (kind === 'blank' || first < open - 3) {
      this.#refuse('calls a function that cannot be told');
      this.#opaque = true;
      return name;
    }
    if (schema === undefined || schema === 'pg_catalog') {
      if (PURE.has(name) || (schema === undefined && kind === 'word' && GRAMMAR_CALLS.has(name))) {
        return name;
      }
      if (MOVING.has(name) && schema === undefined) {
        this.#refuse(name);
        return name;
      }
      if (HARMLESS.has(name)) {
        // With two arguments it is their difference; with one, that to today.
        if (name !== 'age' || splitAtCommas(this.#sql, open + 1, this.#close[open]!).length !== 2) {
          this.#refuse(`calls ${name}()`);
        }
        this.#settings ||= name === 'set_config';
        return name;
      }
    }
    if (!this.#pure?.has(full)) {
      this.#refuse(`calls ${full}()`);
      this.#opaque = true;
    }
    return name;
  }

  #isOperator(at: number, text: string): boolean {
    const token = this.#tokens[at];
    return token !== undefined && token.kind === 'operator' && token.text === text;
  }

  // Writes

  #write(verb: 'insert' | 'update' | 'delete' | 'merge', from: number, to: number, end: number | undefined): number {
    const at = this.#writeFrom(verb, from, to, end);
    if (at === undefined) {
      this.#lose(`an ${verb}`);
      this.#opaque = true;
      return to;
    }
    return at;
  }

  #writeFrom(
    verb: 'insert' | 'update' | 'delete' | 'merge',
    from: number,
    to: number,
    end: number | undefined,
  ): number | undefined {
    let at = from;
    if (verb !== 'update') {
      if (!this.#is(at, verb === 'delete' ? 'from' : 'into')) {
        return undefined;
      }
      at++;
    }
    let close: number | undefined;
    if (verb !== 'insert' && this.#is(at, 'only')) {
      at++;
      if (this.#tokens[at]?.kind === '(') {
        close = this.#close[at]!;
        at++;
      }
    }
    const relation = this.#relation(at, to);
    if (relation?.name === undefined) {
      return undefined;
    }
    at = close === undefined ? relation.end : close + 1;
    if (verb !== 'insert' && this.#isOperator(at, '*')) {
      at++;
    }
    // Columns follow the name of insert's table, not its alias.
    const alias =
      verb === 'insert' && !this.#is(at, 'as')
        ? { name: undefined, columns: false, end: at }
        : this.#alias(at, verb === 'insert' ? Math.min(at + 2, to) : to);
    const target = { relation, qualifier: this.#slice(alias.written ?? relation.written) };
    if (verb === 'insert') {
      return this.#insert(target, alias.end, to, end);
    }
    const use: Use = { ...named(relation), equals: [] };
    this.#reads.push(use);
    const items = [itemOf(relation, alias, use)];
    switch (verb) {
      case 'update':
        return this.#update(target, use, items, alias.end, to, end);
      case 'delete':
        return this.#delete(target, use, items, alias.end, to, end);
      case 'merge':
        return this.#merge(target, items, alias.end, to);
    }
  }

  #slice({ start, end }: Token): string {
    return this.#source.slice(start, end);
  }

  #update(
    target: Target,
    use: Use,
    items: Item[],
    from: number,
    to: number,
    end: number | undefined,
  ): number | undefined {
    if (!this.#is(from, 'set')) {
      return undefined;
    }
    const sets: Assignment[] = [];
    let at = this.#sets(from + 1, to, sets);
    if (this.#is(at, 'from') && at < to) {
      at = this.#from(at + 1, to, items);
    }
    if (this.#is(at, 'where') && at < to) {
      at = this.#where(at + 1, to, items);
    }
    const returning = this.#returning(at, to, end);
    this.#writes.push({
      ...named(target.relation),
      how: 'update',
      equals: use.equals,
      sets,
      ...returning.known,
      qualifier: target.qualifier,
    });
    return returning.at;
  }

  #delete(target: Target, use: Use, items: Item[], from: number, to: number, end: number | undefined): number {
    let at = from;
    if (this.#is(at, 'using') && at < to) {
      at = this.#from(at + 1, to, items);
    }
    if (this.#is(at, 'where') && at < to) {
      at = this.#where(at + 1, to, items);
    }
    const returning = this.#returning(at, to, end);
    this.#writes.push({
      ...named(target.relation),
      how: 'delete',
      equals: use.equals,
      sets: [],
      ...returning.known,
      qualifier: target.qualifier,
    });
    return returning.at;
  }

  #returning(at: number, to: number, end: number | undefined): { at: number; known: Pick<TableWrite, 'returning'> } {
    const present = at < to && this.#is(at, 'returning');
    return {
      at: present ? this.#expression(at + 1, to) : at,
      known: end === undefined ? {} : { returning: { present, end } },
    };
  }

  /** `a = …, (b, c) = (…)` @returns where the list ends */
  #sets(from: number, to: number, sets: Assignment[]): number {
    let at = from;
    for (;;) {
      const columns: (string | undefined)[] = [];
      let whole = true;
      const list = this.#tokens[at]?.kind === '(';
      if (list) {
        const close = this.#close[at]!;
        for (const part of splitAtCommas(this.#sql, at + 1, close)) {
          columns.push(this.#columnName(part.from));
          whole &&= part.to === part.from + 1;
        }
        at = close + 1;
      } else {
        columns.push(this.#columnName(at));
        at++;
        // A part of a column: `a.b = …`, `a[1] = …`
        while (at < to && !this.#isOperator(at, '=') && this.#tokens[at]!.kind !== ',') {
          whole = false;
          if (this.#tokens[at]!.kind === '[') {
            this.#expression(at + 1, this.#close[at]!);
            at = this.#close[at]!;
          }
          at++;
        }
      }
      if (at >= to || !this.#isOperator(at, '=') || columns.includes(undefined)) {
        this.#lose('an assignment');
        this.#opaque = true;
        return to;
      }
      const end = this.#expression(at + 1, to, SET_CLAUSES, true);
      let values: readonly (SqlValue | undefined)[] = [];
      if (!list) {
        values = [plainValue(this.#sql, at + 1, end)];
      } else {
        const open = this.#is(at + 1, 'row') ? at + 2 : at + 1;
        if (
          this.#tokens[open]?.kind === '(' &&
          this.#close[open] === end - 1 &&
          !this.#startsQuery(open + 1, end - 1)
        ) {
          values = plainValues(this.#sql, open + 1, end - 1);
        }
      }
      columns.forEach((column, index) =>
        sets.push({ column: column!, value: whole && values.length === columns.length ? values[index] : undefined }),
      );
      at = end;
      if (at >= to || this.#tokens[at]!.kind !== ',') {
        return at;
      }
      at++;
    }
  }

  #columnName(at: number): string | undefined {
    const token = this.#tokens[at];
    return token !== undefined && isName(token) && token.kind !== 'blank' ? token.text : undefined;
  }

  #insert({ relation, qualifier }: Target, from: number, to: number, end: number | undefined): number | undefined {
    let at = from;
    let columns: (string | undefined)[] | undefined;
    if (at < to && this.#tokens[at]!.kind === '(' && !this.#startsQuery(at + 1, this.#close[at]!)) {
      const close = this.#close[at]!;
      columns = splitAtCommas(this.#sql, at + 1, close).map(part =>
        part.to === part.from + 1 ? this.#columnName(part.from) : undefined,
      );
      at = close + 1;
    }
    if (this.#is(at, 'overriding')) {
      at += 3;
    }
    let equals: Equality[] = [];
    if (this.#is(at, 'default') && this.#is(at + 1, 'values')) {
      at += 2;
    } else if (this.#is(at, 'values')) {
      const rows = this.#rows(at + 1, to);
      if (rows === undefined) {
        at = this.#query(at, to).at;
      } else {
        equals = columns === undefined ? [] : equalsOf(columns, rows.values);
        at = rows.end;
      }
    } else {
      at = this.#query(at, to).at;
    }
    const sets: Assignment[] = [];
    let upsert: TableWrite['upsert'];
    if (at < to && this.#is(at, 'on') && this.#is(at + 1, 'conflict')) {
      at += 2;
      let target: readonly (string | undefined)[] | undefined;
      if (this.#tokens[at]?.kind === '(' && at < to) {
        const close = this.#close[at]!;
        this.#expression(at + 1, close);
        target = splitAtCommas(this.#sql, at + 1, close).map(part =>
          part.to === part.from + 1 ? this.#columnName(part.from) : undefined,
        );
        at = close + 1;
      }
      at = this.#expression(at, to, DO);
      if (this.#is(at + 1, 'update') && this.#is(at + 2, 'set')) {
        upsert = { columns: target?.every(column => column !== undefined) ? target : undefined };
        at = this.#sets(at + 3, to, sets);
        if (at < to && this.#is(at, 'where')) {
          at = this.#expression(at + 1, to, CLAUSES);
        }
      } else if (this.#is(at + 1, 'nothing')) {
        at += 2;
      } else {
        return undefined;
      }
    }
    const returning = this.#returning(at, to, end);
    this.#writes.push({
      ...named(relation),
      how: 'insert',
      equals,
      sets,
      ...(upsert && { upsert }),
      ...returning.known,
      qualifier,
    });
    return returning.at;
  }

  /** The rows of VALUES, if nothing but rows follows. */
  #rows(from: number, to: number): { values: (SqlValue | undefined)[][]; end: number } | undefined {
    const rows: { from: number; to: number }[] = [];
    let at = from;
    for (;;) {
      if (at >= to || this.#tokens[at]!.kind !== '(') {
        return undefined;
      }
      rows.push({ from: at + 1, to: this.#close[at]! });
      at = this.#close[at]! + 1;
      if (at >= to || this.#tokens[at]!.kind !== ',') {
        break;
      }
      at++;
    }
    if (at < to && !this.#is(at, 'on') && !this.#is(at, 'returning')) {
      return undefined;
    }
    return {
      values: rows.map(row => {
        this.#expression(row.from, row.to);
        return plainValues(this.#sql, row.from, row.to);
      }),
      end: at,
    };
  }

  /** What it does depends on each row: nothing is said of the rows. */
  #merge({ relation, qualifier }: Target, items: Item[], from: number, to: number): number | undefined {
    if (!this.#is(from, 'using')) {
      return undefined;
    }
    const sets: Assignment[] = [];
    let at = this.#from(from + 1, to, items);
    while (at < to) {
      at = this.#expression(at, to, UPDATE);
      if (at < to && this.#is(at + 1, 'set')) {
        at = this.#sets(at + 2, to, sets);
      } else {
        at++;
      }
    }
    const write = { ...named(relation), equals: [], qualifier };
    const unsure = sets.map(({ column }) => ({ column, value: undefined }));
    this.#writes.push(
      { ...write, how: 'insert', sets: unsure, upsert: { columns: undefined } },
      { ...write, how: 'update', sets: unsure },
      { ...write, how: 'delete', sets: [] },
    );
    return to;
  }
}

interface Target {
  readonly relation: Relation;
  readonly qualifier: string;
}

const DO = new Set(['do']);
const UPDATE = new Set(['update']);

function isName({ kind }: Token): boolean {
  return kind === 'word' || kind === 'name' || kind === 'label' || kind === 'blank';
}

function named({ schema, name }: Relation): { schema?: string; name: string } {
  return schema === undefined ? { name: name! } : { schema, name: name! };
}

function itemOf(relation: Relation, alias: { name: string | undefined; columns: boolean }, use: Use | undefined): Item {
  // `t as a (x, y)` gives the columns other names.
  const known = alias.columns ? undefined : use;
  return alias.name === undefined
    ? { qualifier: relation.name, schema: relation.schema, use: known }
    : { qualifier: alias.name, use: known };
}

/** The values that the rows of an insert have, column by column, where all are plain. */
function equalsOf(
  columns: readonly (string | undefined)[],
  rows: readonly (readonly (SqlValue | undefined)[])[],
): Equality[] {
  if (rows.some(row => row.length !== columns.length)) {
    return [];
  }
  const equals: Equality[] = [];
  columns.forEach((column, index) => {
    const values = rows.map(row => row[index]);
    if (column !== undefined && values.every(value => value !== undefined)) {
      equals.push({ column, values });
    }
  });
  return equals;
}
