/** A column as a plan names it. */
export interface ColumnName {
  /** `undefined` in plans without VERBOSE: of the node's own table. */
  readonly alias: string | undefined;
  readonly column: string;
}

/** One of the conditions that have to hold together. */
export interface Condition {
  readonly column: ColumnName;
  /**
   * - `equality`: `=`, `= any (…)`;
   * - `range`: `<`, `>` …;
   * - `pattern`: `like` and regular expressions;
   * - `flag`: a boolean column by itself, or `not` of one.
   */
  readonly kind: 'equality' | 'range' | 'pattern' | 'null' | 'not null' | 'flag';
  /** The column it is compared with, if it is one. */
  readonly other: ColumnName | undefined;
}

/**
 * The simple conditions of an expression of a plan (`Filter`, `Index Cond`, `Join Filter` …), masked or not, that are joined
 * by AND. What is joined by OR, what has a function around the column, and what cannot be told is passed over.
 */
export function conditions(expression: string): readonly Condition[] {
  return new Expression(expression).conjuncts();
}

/** `b0.author_id DESC NULLS LAST` of a sort key. */
export interface SortColumn extends ColumnName {
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** @returns `undefined` for an expression, and for what an index sorts in another way (USING, COLLATE) */
export function sortColumn(key: string): SortColumn | undefined {
  const expression = new Expression(key);
  const [left, next] = expression.operand(0);
  // As another type it may have another order.
  if (left.kind !== 'column' || expression.tokens.some(({ kind }) => kind === 'cast')) {
    return undefined;
  }
  const rest = expression.words(next);
  const match = /^(DESC)?(?: ?NULLS (FIRST|LAST))?$/.exec(rest);
  if (!match) {
    return undefined;
  }
  const descending = match[1] !== undefined;
  return {
    alias: left.column.alias,
    column: left.column.column,
    descending,
    nullsFirst: match[2] === undefined ? descending : match[2] === 'FIRST',
  };
}

interface Token {
  readonly kind: 'name' | 'word' | 'value' | 'cast' | 'operator' | 'punctuation';
  readonly text: string;
}

type Operand =
  | { readonly kind: 'column'; readonly column: ColumnName }
  /** Has no column in it. */
  | { readonly kind: 'value' }
  | { readonly kind: 'other' };

const TOKEN =
  /(?<cast>::\s*(?:"(?:[^"]|"")*"|[\w$\u0080-\uffff]+)(?:\.(?:"(?:[^"]|"")*"|[\w$\u0080-\uffff]+))?(?: varying| precision)?(?:\([\d,?]*\))?(?: with(?:out)? time zone)?(?:\[\])*)|(?<name>"(?:[^"]|"")*")|(?<value>'(?:[^']|'')*'|\?|\$\d+|\d[\w.]*)|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<operator>[-+*/<>=~!@#%^&|]+)|(?<punctuation>[().,[\]])/gu;

const KINDS_OF_TOKENS = ['cast', 'value', 'word', 'operator', 'punctuation'] as const;

function tokens(expression: string): Token[] {
  const found: Token[] = [];
  for (const { groups, 0: all } of expression.matchAll(TOKEN)) {
    if (groups?.['name'] !== undefined) {
      found.push({ kind: 'name', text: all.slice(1, -1).replaceAll('""', '"') });
    } else {
      found.push({ kind: KINDS_OF_TOKENS.find(kind => groups?.[kind] !== undefined)!, text: all });
    }
  }
  return found;
}

/** The tokens of an expression; parts of it are told by where they begin and end, so that none is copied. */
class Expression {
  readonly tokens: readonly Token[];
  /** Of each opening parenthesis: its closing one. */
  readonly #ends: ReadonlyMap<number, number>;

  constructor(source: string) {
    this.tokens = tokens(source);
    this.#ends = closings(this.tokens);
  }

  conjuncts(begin = 0, end: number = this.tokens.length): readonly Condition[] {
    const [from, to] = this.#unwrapped(begin, end);
    if (this.#atTop('OR', from, to).length > 0) {
      return [];
    }
    const cuts = this.#atTop('AND', from, to);
    if (cuts.length === 0) {
      const only = this.#simple(from, to);
      return only ? [only] : [];
    }
    return [...cuts, to].flatMap((cut, index) => this.conjuncts(index ? cuts[index - 1]! + 1 : from, cut));
  }

  /** What stands at a place with its casts, and where it ends. */
  operand(at: number, to: number = this.tokens.length): readonly [Operand, number] {
    let [found, next] = this.#uncast(at, to);
    for (; next < to && this.tokens[next]?.kind === 'cast'; next++) {
      // As text a varchar is found by its index, and a time as a date is not.
      if (found.kind === 'column' && !/^::\s*(?:text|bpchar|character)\b/.test(this.tokens[next]!.text)) {
        found = { kind: 'other' };
      }
    }
    return [found, next];
  }

  /** In upper case. */
  words(from: number, to: number = this.tokens.length): string {
    return this.tokens
      .slice(from, to)
      .map(each => each.text.toUpperCase())
      .join(' ');
  }

  #simple(from: number, to: number): Condition | undefined {
    const { tokens: all } = this;
    if (isWord(all[from], 'NOT')) {
      const [begin, end] = this.#unwrapped(from + 1, to);
      const [negated, after] = this.operand(begin, end);
      return negated.kind === 'column' && after === end
        ? { column: negated.column, kind: 'flag', other: undefined }
        : undefined;
    }
    const [left, next] = this.operand(from, to);
    if (left.kind === 'column' && next === to) {
      return { column: left.column, kind: 'flag', other: undefined };
    }
    if (left.kind === 'column' && isWord(all[next], 'IS')) {
      const words = this.words(next, to);
      const kind = words === 'IS NULL' ? 'null' : words === 'IS NOT NULL' ? 'not null' : undefined;
      return kind && { column: left.column, kind, other: undefined };
    }
    const kind = next < to && all[next]?.kind === 'operator' ? KINDS[all[next].text] : undefined;
    return kind && this.#compared(kind, left, next + 1, to);
  }

  #compared(kind: Condition['kind'], left: Operand, from: number, to: number): Condition | undefined {
    const right = isWord(this.tokens[from], 'ANY')
      ? this.#wholeOperand(...this.#unwrapped(from + 1, to))
      : this.#wholeOperand(from, to);
    if (left.kind === 'column' && right.kind !== 'other') {
      return { column: left.column, kind, other: right.kind === 'column' ? right.column : undefined };
    }
    return left.kind === 'value' && right.kind === 'column'
      ? { column: right.column, kind, other: undefined }
      : undefined;
  }

  #wholeOperand(from: number, to: number): Operand {
    const [found, next] = this.operand(from, to);
    return next === to ? found : from < to && !this.#hasColumn(from, to) ? { kind: 'value' } : { kind: 'other' };
  }

  #uncast(at: number, to: number): readonly [Operand, number] {
    const { tokens: all } = this;
    const first = at < to ? all[at] : undefined;
    if (first?.kind === 'value') {
      return [{ kind: 'value' }, at + 1];
    }
    if (isPunctuation(first, '(')) {
      const end = this.#ends.get(at);
      if (end === undefined || end >= to) {
        return [{ kind: 'other' }, to];
      }
      // `(InitPlan 1).col1`: a value that is found out once.
      if (isWord(all[at + 1], 'INITPLAN')) {
        return [{ kind: 'value' }, isPunctuation(all[end + 1], '.') ? end + 3 : end + 1];
      }
      return [this.#wholeOperand(...this.#unwrapped(at, end + 1)), end + 1];
    }
    if (first?.kind !== 'word' && first?.kind !== 'name') {
      return [{ kind: 'other' }, at + 1];
    }
    const qualified = at + 2 < to && isPunctuation(all[at + 1], '.');
    const last = qualified ? at + 2 : at;
    if (last + 1 < to && isPunctuation(all[last + 1], '(')) {
      const end = Math.min(to, this.#ends.get(last + 1) ?? to);
      return [this.#hasColumn(last + 2, end) ? { kind: 'other' } : { kind: 'value' }, end + 1];
    }
    if (!qualified && first.kind === 'word' && isConstant(first.text)) {
      return [{ kind: 'value' }, at + 1];
    }
    const column = qualified
      ? { alias: first.text, column: all[last]!.text }
      : { alias: undefined, column: first.text };
    return [{ kind: 'column', column }, last + 1];
  }

  #hasColumn(from: number, to: number): boolean {
    for (let index = from; index < to; index++) {
      const each = this.tokens[index]!;
      const mayBe = each.kind === 'name' || (each.kind === 'word' && !isConstant(each.text));
      const next = this.tokens[index + 1];
      if (mayBe && !isPunctuation(next, '(') && !isPunctuation(next, '.')) {
        return true;
      }
    }
    return false;
  }

  /** Without the parentheses around all of it. */
  #unwrapped(begin: number, end: number): readonly [from: number, to: number] {
    let [from, to] = [begin, end];
    while (to - from > 1 && isPunctuation(this.tokens[from], '(') && this.#ends.get(from) === to - 1) {
      from += 1;
      to -= 1;
    }
    return [from, to];
  }

  #atTop(word: string, from: number, to: number): readonly number[] {
    const found: number[] = [];
    for (let index = from; index < to; index++) {
      if (isWord(this.tokens[index], word)) {
        found.push(index);
      }
      // What is in parentheses is passed over.
      index = this.#ends.get(index) ?? index;
    }
    return found;
  }
}

const KINDS: Readonly<Record<string, Condition['kind']>> = {
  '=': 'equality',
  '<': 'range',
  '>': 'range',
  '<=': 'range',
  '>=': 'range',
  '~~': 'pattern',
  '~~*': 'pattern',
  '~': 'pattern',
  '~*': 'pattern',
};

/** Words that are no columns. A plan quotes a column of such a name. */
function isConstant(word: string): boolean {
  return /^(?:NULL|TRUE|FALSE|ARRAY|ROW|CURRENT_\w+|LOCALTIME|LOCALTIMESTAMP|SESSION_USER|USER|INTERVAL|AT|TIME|ZONE|AND|OR|NOT)$/i.test(
    word,
  );
}

function closings(all: readonly Token[]): ReadonlyMap<number, number> {
  const open: number[] = [];
  const ends = new Map<number, number>();
  for (const [index, each] of all.entries()) {
    if (isPunctuation(each, '(')) {
      open.push(index);
    } else if (isPunctuation(each, ')') && open.length > 0) {
      ends.set(open.pop()!, index);
    }
  }
  return ends;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word;
}

function isPunctuation(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'punctuation' && token.text === mark;
}
