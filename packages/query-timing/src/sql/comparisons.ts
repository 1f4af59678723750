import { signAt, type Token } from './tokens.ts';

/** A column as written. */
export interface ColumnName {
  /** The alias or table before it. */
  readonly qualifier: string | undefined;
  readonly name: string;
}

/** What a value is compared with. */
export interface Comparison {
  readonly column: ColumnName;
  /** As if the column stood first. */
  readonly operator: string;
}

/** An operator, and where the operand before it ends. */
interface Operation {
  readonly operator: string;
  readonly end: number;
}

/** Operators that compare, with what they are the other way round. */
const MIRRORED: ReadonlyMap<string, string> = new Map([
  ['=', '='],
  ['<>', '<>'],
  ['!=', '<>'],
  ['<', '>'],
  ['>', '<'],
  ['<=', '>='],
  ['>=', '<='],
  ['@>', '<@'],
  ['<@', '@>'],
  ['&&', '&&'],
]);
/** Those that ask for a pattern. */
const PATTERNS: ReadonlySet<string> = new Set(['~', '~*', '!~', '!~*', '~~', '~~*', '!~~', '!~~*']);
/** What an operand may begin behind. */
const BEFORE: ReadonlySet<string> = setOf('where and or not on having when then else case select by returning set');
/** What may follow an operand. */
const AFTER: ReadonlySet<string> = setOf(
  'and or when then else end where having group order limit offset fetch returning union except intersect for window ' +
    'left right inner full cross join natural on from as escape',
);
const NO_COLUMN: ReadonlySet<string> = setOf(
  'true false null default end current_date current_time current_timestamp localtime localtimestamp current_user',
);

function setOf(words: string): ReadonlySet<string> {
  return new Set(words.split(' '));
}

/** Finds with which column a value is compared, the value alone with the column alone. Each answer takes constant time. */
export class ComparisonReader {
  readonly #tokens: readonly Token[];
  /** Of lists of columns, by their parenthesis. */
  readonly #rows = new Map<number, readonly ColumnName[] | undefined>();

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** What the value at an index is compared with. */
  at(index: number): Comparison | undefined {
    const end = this.#behindCasts(index + 1);
    if (!this.#isAfter(end)) {
      return this.#mirrored(index, end);
    }
    const operation = this.#operationEndingAt(index - 1);
    if (operation !== undefined) {
      return compared(this.#columnEndingAt(operation.end), operation.operator);
    }
    const before = this.#sign(index - 1);
    return before === '(' || before === ',' || before === '[' ? this.#inList(index) : undefined;
  }

  /** Whether nothing is done with a value before it is compared or written. */
  isAlone(index: number): boolean {
    return this.#isAfter(this.#behindCasts(index + 1));
  }

  /** Whether a value stands alone between commas and parentheses. */
  isItem(index: number): boolean {
    const before = this.#sign(index - 1);
    const after = this.#sign(this.#behindCasts(index + 1));
    const isList = this.#sign(this.#tokens[index]!.open) === '(';
    return isList && (before === '(' || before === ',') && (after === ')' || after === ',');
  }

  #inList(index: number): Comparison | undefined {
    const { open, item } = this.#tokens[index]!;
    const ahead = this.#sign(open - 1);
    if (this.#sign(open) === '[') {
      const call = this.#tokens[open]!.open;
      return ahead === 'array' && call === open - 2 ? this.#inQuantified(call) : undefined;
    }
    if (ahead === 'in') {
      const { operator, end } = this.#negated('in', open - 2);
      const row = this.#rowEndingAt(end);
      return compared(row === undefined ? this.#columnEndingAt(end) : row.length === 1 ? row[0] : undefined, operator);
    }
    if (ahead === '(' || ahead === ',') {
      // `(a, b) in ((?, ?), (?, ?))`
      const outer = this.#tokens[open]!.open;
      if (this.#sign(outer - 1) !== 'in') {
        return undefined;
      }
      const { operator, end } = this.#negated('in', outer - 2);
      return compared(this.#rowEndingAt(end)?.[item], operator);
    }
    const operation = this.#operationEndingAt(open - 1);
    if (operation === undefined) {
      return this.#inQuantified(open);
    }
    // `(a, b) > (?, ?)`, `a = (?)`
    const row = this.#rowEndingAt(operation.end);
    const isOnly = index === open + 1 && this.#sign(this.#behindCasts(index + 1)) === ')';
    return compared(
      row === undefined ? (isOnly ? this.#columnEndingAt(operation.end) : undefined) : row[item],
      operation.operator,
    );
  }

  /** `= any(?)`, `<> all(array[?, ?])` */
  #inQuantified(open: number): Comparison | undefined {
    const quantifier = this.#sign(open - 1);
    const operation = this.#operationEndingAt(open - 2);
    if (operation === undefined || (quantifier !== 'any' && quantifier !== 'some' && quantifier !== 'all')) {
      return undefined;
    }
    return compared(
      this.#columnEndingAt(operation.end),
      `${operation.operator} ${quantifier === 'all' ? 'all' : 'any'}`,
    );
  }

  /** `? < "price"` */
  #mirrored(index: number, operatorAt: number): Comparison | undefined {
    const operator = MIRRORED.get(this.#sign(operatorAt));
    if (operator === undefined || !this.#isBefore(index - 1)) {
      return undefined;
    }
    let end = operatorAt + 1;
    while (this.#sign(end + 1) === '.') {
      end += 2;
    }
    return this.#isAfter(this.#behindCasts(end + 1))
      ? compared(this.#columnEndingAt(end, operatorAt), operator)
      : undefined;
  }

  #operationEndingAt(at: number): Operation | undefined {
    const token = this.#tokens[at];
    if (token?.kind === 'operator') {
      const { text } = token;
      const operator = text === '!=' ? '<>' : text;
      return MIRRORED.has(operator) || PATTERNS.has(operator) ? { operator, end: at - 1 } : undefined;
    }
    if (token?.kind !== 'word') {
      return undefined;
    }
    switch (token.text) {
      case 'like':
      case 'ilike':
      case 'between':
        return this.#negated(token.text, at - 1);
      case 'to':
        return this.#sign(at - 1) === 'similar' ? this.#negated('similar to', at - 2) : undefined;
      case 'symmetric':
        return this.#sign(at - 1) === 'between' ? this.#negated('between', at - 2) : undefined;
      case 'from':
        return this.#sign(at - 1) === 'distinct' ? this.#distinct(at - 2) : undefined;
      case 'and':
        return this.#secondBound(at - 1);
      default:
        return undefined;
    }
  }

  /** `not` before an operator that is a word. */
  #negated(operator: string, at: number): Operation {
    return this.#sign(at) === 'not' ? { operator: `not ${operator}`, end: at - 1 } : { operator, end: at };
  }

  /** `is distinct from`, `is not distinct from` */
  #distinct(at: number): Operation | undefined {
    const isNot = this.#sign(at) === 'not';
    const is = isNot ? at - 1 : at;
    return this.#sign(is) === 'is'
      ? { operator: isNot ? 'is not distinct from' : 'is distinct from', end: is - 1 }
      : undefined;
  }

  /** `between 1 and …` @param at where the first bound ends */
  #secondBound(at: number): Operation | undefined {
    const first = this.#sign(at - 1) === '::' ? at - 2 : at;
    const isBetween = ['between', 'symmetric'].includes(this.#sign(first - 1));
    return this.#tokens[first]?.kind === 'value' && isBetween ? this.#operationEndingAt(first - 1) : undefined;
  }

  /** @param from what it must not begin before: an operator */
  #columnEndingAt(at: number, from = -1): ColumnName | undefined {
    let end = at;
    while (this.#sign(end - 1) === '::') {
      end -= 2;
    }
    let start = end;
    while (this.#sign(start - 1) === '.' && start - 2 > from) {
      start -= 2;
    }
    const name = this.#tokens[end];
    if (!isColumn(name) || (start - 1 !== from && !this.#isBefore(start - 1))) {
      return undefined;
    }
    return { qualifier: start === end ? undefined : this.#tokens[end - 2]!.text, name: name.text };
  }

  /** The columns of `(a, "b"."c")`. @param at its end */
  #rowEndingAt(at: number): readonly ColumnName[] | undefined {
    const open = this.#sign(at) === ')' ? this.#tokens[at]!.open : -1;
    if (open === -1) {
      return undefined;
    }
    if (!this.#rows.has(open)) {
      const isRow = this.#isBefore(open - 1) || this.#sign(open - 1) === 'row';
      this.#rows.set(open, isRow ? this.#columnsIn(open, at) : undefined);
    }
    return this.#rows.get(open);
  }

  #columnsIn(open: number, close: number): readonly ColumnName[] | undefined {
    const columns: ColumnName[] = [];
    for (let at = open + 1; at <= close; at++) {
      const sign = this.#sign(at);
      // Also what keeps rows within rows from being read again and again.
      if (sign === '(') {
        return undefined;
      }
      if (at === close || sign === ',') {
        const column = this.#columnEndingAt(at - 1);
        if (column === undefined) {
          return undefined;
        }
        columns.push(column);
      }
    }
    return columns;
  }

  /** Whether an operand may begin behind it. */
  #isBefore(at: number): boolean {
    const token = this.#tokens[at];
    switch (token?.kind) {
      case undefined:
        return true;
      case 'mark':
        return token.text === '(' || token.text === ',' || token.text === ';';
      case 'word':
        return BEFORE.has(token.text);
      default:
        return false;
    }
  }

  /** Whether an operand may end before it. */
  #isAfter(at: number): boolean {
    const token = this.#tokens[at];
    switch (token?.kind) {
      case undefined:
        return true;
      case 'mark':
        return token.text === ')' || token.text === ']' || token.text === ',' || token.text === ';';
      case 'word':
        return AFTER.has(token.text);
      default:
        return false;
    }
  }

  /** Behind `::uuid`, `::"s"."t"[]`, `::numeric(10, 2)`, if it stands there. */
  #behindCasts(from: number): number {
    let at = from;
    while (this.#sign(at) === '::') {
      at += 2;
      while (this.#sign(at) === '.') {
        at += 2;
      }
      while (this.#sign(at) === '[' && this.#sign(at + 1) === ']') {
        at += 2;
      }
    }
    return at;
  }

  #sign(at: number): string {
    return signAt(this.#tokens, at);
  }
}

function compared(column: ColumnName | undefined, operator: string): Comparison | undefined {
  return column && { column, operator };
}

function isColumn(token: Token | undefined): token is Token {
  return (token?.kind === 'name' && token.text !== '') || (token?.kind === 'word' && !NO_COLUMN.has(token.text));
}
