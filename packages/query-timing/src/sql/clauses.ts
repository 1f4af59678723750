import { Sources } from './sources.ts';
import { signAt, type Token } from './tokens.ts';

/** Where in a statement something stands. */
export type Place = 'where' | 'limit' | 'offset' | 'values' | 'set' | 'other';

/** What is known of a pair of parentheses, or of the statement. */
export interface Clause {
  place: Place;
  /** Of the query it belongs to. */
  sources: Sources | undefined;
  /** Of the write it belongs to: those of `excluded` and of columns that are set. */
  targetSources: Sources | undefined;
  /** The table that is written. */
  target: string | undefined;
  /** The columns that are inserted. */
  columns: readonly string[] | undefined;
  /** Whether it has the word itself that says so of its place, and is not just within what has it: rows, columns that are set. */
  isOwnPlace: boolean;
  /** The column that is being set. */
  setColumn: string | undefined;
  /** A row of `values`. */
  readonly isRow: boolean;
  /** A query in place of a table. */
  readonly isSource: boolean;
  /** What began here last: a query, or a write. */
  verb: 'select' | 'insert' | 'update' | 'delete' | 'merge' | undefined;
  /** Whether a comma leads to the next table. */
  isFrom: boolean;
  /** How many `case` are open. */
  cases: number;
}

const NO_ALIAS: ReadonlySet<string> = new Set(
  (
    'where on join left right inner full cross natural using group order having limit offset union except intersect ' +
    'returning set for fetch window tablesample when values default select with not'
  ).split(' '),
);
/** Words behind which `update` is none of its own. */
const NO_UPDATE: ReadonlySet<string> = new Set(['for', 'key', 'do', 'on', 'then']);

/** Follows the tokens of a statement, and knows in which clause the current one stands, and of which tables. */
export class ClauseReader {
  readonly #tokens: readonly Token[];
  readonly #clauses: Clause[] = [newClause(undefined, false, false)];
  /** Names that `with` gives. */
  readonly #withNames = new Set<string>();
  /** Where a table is expected. */
  #sourceAt = -1;
  /** Where the columns of an insert are expected. */
  #columnsAt = -1;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The innermost one. */
  get current(): Clause {
    return this.#clauses.at(-1)!;
  }

  /** Goes on to the next token. */
  read(index: number): void {
    const token = this.#tokens[index]!;
    if (index === this.#sourceAt) {
      this.#source(index);
    }
    if (token.kind === 'mark') {
      this.#mark(index, token.text);
    } else if (token.kind === 'word' && signAt(this.#tokens, index - 1) !== '.') {
      this.#word(index, token.text);
    }
    const { current } = this;
    if (current.place === 'set' && current.isOwnPlace && isSetColumn(this.#tokens, index)) {
      current.setColumn = token.text;
    }
  }

  #mark(index: number, mark: string): void {
    const { current } = this;
    switch (mark) {
      case '(': {
        const isSource = index === this.#sourceAt;
        const isRow = current.place === 'values' && current.isOwnPlace && this.#beginsRow(index);
        if (index === this.#columnsAt) {
          current.columns = this.#columnsIn(index);
        }
        this.#clauses.push(newClause(current, isRow, isSource));
        if (isSource) {
          // `(a join b …)`; a query says so with its first word.
          this.current.isFrom = true;
          this.#sourceAt = index + 1;
        }
        break;
      }
      case ')':
        if (this.#clauses.length > 1) {
          this.#clauses.pop();
          if (current.isSource && (current.verb !== undefined || current.place === 'values')) {
            this.current.sources?.add(this.#aliasAt(index + 1), undefined);
          }
        }
        break;
      case ',':
        if (current.isFrom) {
          this.#sourceAt = index + 1;
        }
        break;
      case ';':
        this.#clauses.splice(0, this.#clauses.length, newClause(undefined, false, false));
        this.#withNames.clear();
        break;
      default:
    }
  }

  #word(index: number, word: string): void {
    const { current } = this;
    const before = signAt(this.#tokens, index - 1);
    const { verb } = current;
    switch (word) {
      case 'select':
        this.#begin('select');
        break;
      case 'insert':
        if (before === 'then') {
          this.#columnsAt = index + 1;
        } else {
          this.#begin('insert');
        }
        break;
      case 'update':
        if (!NO_UPDATE.has(before)) {
          this.#begin('update');
          this.#sourceAt = index + 1;
        }
        break;
      case 'delete':
        if (before !== 'then' && before !== 'on') {
          this.#begin('delete');
        }
        break;
      case 'merge':
        this.#begin('merge');
        break;
      case 'into':
        if (verb === 'insert' || verb === 'merge') {
          this.#sourceAt = index + 1;
        }
        break;
      case 'from':
        if (verb !== undefined && before !== 'distinct') {
          this.#turnTo('other', true);
          this.#sourceAt = index + 1;
        }
        break;
      case 'using':
        if (verb === 'delete' || verb === 'merge') {
          this.#turnTo('other', true);
          this.#sourceAt = index + 1;
        }
        break;
      case 'join':
        current.place = 'other';
        this.#sourceAt = index + 1;
        break;
      case 'on':
        if (signAt(this.#tokens, index + 1) === 'conflict') {
          current.sources = current.targetSources;
          this.#turnTo('other', false);
        } else if (before !== 'distinct') {
          current.place = 'where';
        }
        break;
      case 'where':
      case 'having':
        this.#turnTo('where', false);
        break;
      case 'case':
        current.cases++;
        break;
      case 'end':
        current.cases = Math.max(current.cases - 1, 0);
        break;
      case 'when':
        if (verb === 'merge' && current.cases === 0) {
          this.#turnTo('where', false);
        }
        break;
      case 'set':
        this.#turnTo('set', false);
        break;
      case 'values':
        this.#turnTo('values', false);
        break;
      case 'limit':
      case 'fetch':
        this.#turnTo('limit', false);
        break;
      case 'offset':
        this.#turnTo('offset', false);
        break;
      case 'group':
      case 'order':
      case 'window':
      case 'union':
      case 'except':
      case 'intersect':
      case 'returning':
      case 'for':
        this.#turnTo('other', false);
        break;
      case 'as':
        this.#withName(index);
        break;
      default:
    }
  }

  #begin(verb: Clause['verb']): void {
    const { current } = this;
    current.verb = verb;
    current.sources = new Sources(this.#clauses.at(-2)?.sources);
    if (verb !== 'select') {
      current.targetSources = current.sources;
    }
    this.#turnTo('other', false);
    this.#sourceAt = -1;
  }

  #turnTo(place: Place, isFrom: boolean): void {
    this.current.place = place;
    this.current.isFrom = isFrom;
    this.current.isOwnPlace = true;
  }

  /** `from [only] "s"."book" as "b0"` */
  #source(index: number): void {
    const tokens = this.#tokens;
    const { current } = this;
    let at = index;
    if (['only', 'lateral', 'table'].includes(signAt(tokens, at))) {
      this.#sourceAt = at + 1;
      return;
    }
    if (!isName(tokens[at]) || isQueryStart(tokens[at]!)) {
      return;
    }
    while (signAt(tokens, at + 1) === '.' && isName(tokens[at + 2])) {
      at += 2;
    }
    const name = tokens[at]!.text;
    const isCall = signAt(tokens, at + 1) === '(' && signAt(tokens, index - 1) !== 'into';
    const table = name === '' || isCall || this.#withNames.has(name) ? undefined : name;
    const alias = isCall ? undefined : (this.#aliasAt(at + 1) ?? (name === '' ? undefined : name));
    current.sources?.add(alias, table);
    const before = signAt(tokens, index - 1);
    if (before === 'into' || before === 'update') {
      current.target = table;
    }
    if (before === 'into') {
      this.#columnsAt = signAt(tokens, at + 1) === 'as' ? at + 3 : at + 1;
    }
  }

  /** `as "b0"`, `"b0"` */
  #aliasAt(index: number): string | undefined {
    const at = signAt(this.#tokens, index) === 'as' ? index + 1 : index;
    const token = this.#tokens[at];
    return isName(token) && (token.kind === 'name' || !NO_ALIAS.has(token.text)) ? token.text : undefined;
  }

  /** `values (…), (…)`; what follows something else is a call. */
  #beginsRow(index: number): boolean {
    const before = signAt(this.#tokens, index - 1);
    return before === 'values' || before === ',';
  }

  /** `("id", "title")` */
  #columnsIn(open: number): readonly string[] | undefined {
    const columns: string[] = [];
    for (let at = open + 1; ; at += 2) {
      const name = this.#tokens[at];
      const end = signAt(this.#tokens, at + 1);
      if (!isName(name) || (end !== ',' && end !== ')')) {
        return undefined;
      }
      columns.push(name.text);
      if (end === ')') {
        return columns;
      }
    }
  }

  /** `"x" as (`, `"x" ("a") as materialized (` */
  #withName(index: number): void {
    const next = signAt(this.#tokens, index + 1);
    if (next !== '(' && next !== 'materialized' && next !== 'not') {
      return;
    }
    const before = this.#tokens[index - 1];
    const name = signAt(this.#tokens, index - 1) === ')' ? this.#tokens[before!.open - 1] : before;
    if (isName(name)) {
      this.#withNames.add(name.text);
    }
  }
}

function newClause(outer: Clause | undefined, isRow: boolean, isSource: boolean): Clause {
  return {
    place: outer?.place ?? 'other',
    sources: outer?.sources,
    targetSources: outer?.targetSources,
    target: outer?.target,
    columns: isRow ? outer?.columns : undefined,
    isOwnPlace: false,
    setColumn: undefined,
    isRow,
    isSource,
    verb: undefined,
    isFrom: false,
    cases: 0,
  };
}

function isName(token: Token | undefined): token is Token {
  return token?.kind === 'name' || token?.kind === 'word';
}

function isQueryStart({ kind, text }: Token): boolean {
  return kind === 'word' && (text === 'select' || text === 'values' || text === 'with');
}

/** `set "title" =`, `, "price" =` */
export function isSetColumn(tokens: readonly Token[], index: number): boolean {
  const before = signAt(tokens, index - 1);
  return isName(tokens[index]) && signAt(tokens, index + 1) === '=' && (before === 'set' || before === ',');
}
