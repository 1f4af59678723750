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
  return conjuncts(tokens(expression));
}

/** `b0.author_id DESC NULLS LAST` of a sort key. */
export interface SortColumn extends ColumnName {
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** @returns `undefined` for an expression, and for what an index sorts in another way (USING, COLLATE) */
export function sortColumn(key: string): SortColumn | undefined {
  const all = tokens(key);
  const [left, next] = operand(all, 0);
  // As another type it may have another order.
  if (left.kind !== 'column' || all.some(({ kind }) => kind === 'cast')) {
    return undefined;
  }
  const rest = all
    .slice(next)
    .map(each => each.text.toUpperCase())
    .join(' ');
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

function conjuncts(all: readonly Token[]): readonly Condition[] {
  const inner = unwrapped(all);
  if (atTop(inner, 'OR').length > 0) {
    return [];
  }
  const cuts = atTop(inner, 'AND');
  if (cuts.length === 0) {
    const only = simple(inner);
    return only ? [only] : [];
  }
  return [...cuts, inner.length].flatMap((end, index) => conjuncts(inner.slice(index ? cuts[index - 1]! + 1 : 0, end)));
}

function simple(all: readonly Token[]): Condition | undefined {
  if (isWord(all[0], 'NOT')) {
    const [left, next] = operand(unwrapped(all.slice(1)), 0);
    return left.kind === 'column' && next === unwrapped(all.slice(1)).length
      ? { column: left.column, kind: 'flag', other: undefined }
      : undefined;
  }
  const [left, next] = operand(all, 0);
  const rest = all.slice(next);
  if (left.kind === 'column' && rest.length === 0) {
    return { column: left.column, kind: 'flag', other: undefined };
  }
  if (left.kind === 'column' && isWord(rest[0], 'IS')) {
    const words = rest.map(each => each.text.toUpperCase()).join(' ');
    const kind = words === 'IS NULL' ? 'null' : words === 'IS NOT NULL' ? 'not null' : undefined;
    return kind && { column: left.column, kind, other: undefined };
  }
  const kind = rest[0]?.kind === 'operator' ? KINDS[rest[0].text] : undefined;
  if (!kind) {
    return undefined;
  }
  const right = isWord(rest[1], 'ANY') ? wholeOperand(unwrapped(rest.slice(2))) : wholeOperand(rest.slice(1));
  if (left.kind === 'column' && right.kind !== 'other') {
    return { column: left.column, kind, other: right.kind === 'column' ? right.column : undefined };
  }
  return left.kind === 'value' && right.kind === 'column'
    ? { column: right.column, kind, other: undefined }
    : undefined;
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

function wholeOperand(all: readonly Token[]): Operand {
  const [found, next] = operand(all, 0);
  return next === all.length ? found : all.length > 0 && !hasColumn(all) ? { kind: 'value' } : { kind: 'other' };
}

/** What stands at a place with its casts, and where it ends. */
function operand(all: readonly Token[], at: number): readonly [Operand, number] {
  let [found, next] = uncast(all, at);
  for (; all[next]?.kind === 'cast'; next++) {
    // As text a varchar is found by its index, and a time as a date is not.
    if (found.kind === 'column' && !/^::\s*(?:text|bpchar|character)\b/.test(all[next]!.text)) {
      found = { kind: 'other' };
    }
  }
  return [found, next];
}

function uncast(all: readonly Token[], at: number): readonly [Operand, number] {
  const first = all[at];
  if (first?.kind === 'value') {
    return [{ kind: 'value' }, at + 1];
  }
  if (first?.text === '(' && first.kind === 'punctuation') {
    const end = closing(all, at);
    const inner = all.slice(at + 1, end);
    // `(InitPlan 1).col1`: a value that is found out once.
    if (isWord(inner[0], 'INITPLAN')) {
      return [{ kind: 'value' }, all[end + 1]?.text === '.' ? end + 3 : end + 1];
    }
    return [wholeOperand(inner), end + 1];
  }
  if (!first || (first.kind !== 'word' && first.kind !== 'name')) {
    return [{ kind: 'other' }, at + 1];
  }
  const qualified = isPunctuation(all[at + 1], '.') && all[at + 2] !== undefined;
  const last = qualified ? at + 2 : at;
  if (isPunctuation(all[last + 1], '(')) {
    const end = closing(all, last + 1);
    return [hasColumn(all.slice(last + 2, end)) ? { kind: 'other' } : { kind: 'value' }, end + 1];
  }
  if (!qualified && first.kind === 'word' && isConstant(first.text)) {
    return [{ kind: 'value' }, at + 1];
  }
  const column = qualified ? { alias: first.text, column: all[last]!.text } : { alias: undefined, column: first.text };
  return [{ kind: 'column', column }, last + 1];
}

function hasColumn(all: readonly Token[]): boolean {
  return all.some(
    (each, index) =>
      (each.kind === 'name' || (each.kind === 'word' && !isConstant(each.text))) &&
      !isPunctuation(all[index + 1], '(') &&
      !isPunctuation(all[index + 1], '.'),
  );
}

/** Words that are no columns. A plan quotes a column of such a name. */
function isConstant(word: string): boolean {
  return /^(?:NULL|TRUE|FALSE|ARRAY|ROW|CURRENT_\w+|LOCALTIME|LOCALTIMESTAMP|SESSION_USER|USER|INTERVAL|AT|TIME|ZONE|AND|OR|NOT)$/i.test(
    word,
  );
}

/** Without the parentheses around all of it. */
function unwrapped(all: readonly Token[]): readonly Token[] {
  let [from, to] = [0, all.length];
  // Walked by their ends, so that a thousand parentheses cost a thousand steps and not as many copies.
  const ends = closings(all);
  while (to - from > 1 && isPunctuation(all[from], '(') && ends.get(from) === to - 1) {
    from += 1;
    to -= 1;
  }
  return all.slice(from, to);
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

function closing(all: readonly Token[], at: number): number {
  return at + (closings(all.slice(at)).get(0) ?? all.length - at);
}

function atTop(all: readonly Token[], word: string): number[] {
  const found: number[] = [];
  let depth = 0;
  for (const [index, each] of all.entries()) {
    depth += isPunctuation(each, '(') ? 1 : isPunctuation(each, ')') ? -1 : 0;
    if (depth === 0 && isWord(each, word)) {
      found.push(index);
    }
  }
  return found;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word;
}

function isPunctuation(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'punctuation' && token.text === mark;
}
