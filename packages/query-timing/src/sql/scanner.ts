import * as c from './characters.ts';
import { codesOf } from './codes.ts';
import { Lexer } from './lexer.ts';
import type { Scan, StatementKind } from './scan.ts';
import { StatementId } from './statement-id.ts';
import { StatementText } from './statement-text.ts';
import { TableReader } from './tables.ts';
import { readValueList } from './value-list.ts';
import * as hash from './word-hash.ts';
import * as is from './words.ts';

/* Constants of other modules are looked up whenever they are used: the hot loop has its own. */
const { charCodeAt, COMMA, DOT, DOUBLE_QUOTE, LETTER, SPACE } = c;
const { OPERAND, PLAIN_NAME, POINT, SEPARATED } = is;
const { PRIME_A, PRIME_B, SEED_A, SEED_B } = hash;

/** What is nowhere. */
const NOWHERE = -1;

/* What the id takes in for pieces that are the same however they are written. Those of one character are their code. */
const VALUE_SUM = 63;
const NAME_SUM = 1;
const CAST_SUM = 2;
const LIST_SUM = 3;
const NESTED_LIST_SUM = 4;
const ARRAY_SUM = 5;
const NESTED_ARRAY_SUM = 6;

const BLANK = 32;
const QUOTED_SEED_A = SEED_A ^ DOUBLE_QUOTE;
const QUOTED_SEED_B = SEED_B ^ DOUBLE_QUOTE;

/** Of an operation that is not known. */
const LONGEST_OPERATION = 32;

/** What there was before the second row of `values (…), (…)`. */
interface BeforeRows {
  readonly id: StatementId;
  readonly text: StatementText;
}

/** One pass over one statement: each piece goes to its id, its text and its tables. */
export class Scanner {
  readonly #sql: string;
  readonly #lexer: Lexer;
  readonly #tables: TableReader;
  #id = new StatementId();
  #text: StatementText;
  /** What stood before: a number of `words.ts`. */
  #before = is.START;
  #depth = 0;
  #kind: StatementKind | undefined;
  /** Whether any word may matter: as long as it is not known what the statement is, and where savepoints have names. */
  #attentive = true;
  /** The depth of the `with` that the statement begins with. */
  #withAt = NOWHERE;
  /** The depth of rows of `values`, and of those that these stand in. */
  #rowsAt = NOWHERE;
  readonly #outerRowsAt: number[] = [];
  #beforeRows: BeforeRows | undefined;
  #several = false;
  #changes = false;
  #hasList = false;

  constructor(sql: string) {
    this.#sql = sql;
    this.#lexer = new Lexer(sql);
    this.#tables = new TableReader(sql);
    this.#lexer.skipBlank();
    this.#text = new StatementText(sql, this.#lexer.at);
  }

  scan(): Scan {
    const end = this.#read();
    const lexer = this.#lexer;
    const kind = this.#kind ?? 'other';
    return {
      id: this.#id.toString(),
      text: this.#text.finish(end),
      kind,
      tables: this.#tables.tables,
      summary: this.#tables.summary,
      loneRead: kind === 'select' && !this.#changes && !this.#several && !lexer.broken,
      hasComment: lexer.commented,
      hasList: this.#hasList,
    };
  }

  /**
   * The hot loop. Words and names in quotes, which statements consist of nearly all, are read here: a call for each of them is
   * what would cost most.
   * @returns where the last piece ends
   */
  #read(): number {
    const sql = this.#sql;
    const { length } = sql;
    const codes = codesOf(sql);
    const lexer = this.#lexer;
    const tables = this.#tables;
    let { at } = lexer;
    /** Where the last piece ends. */
    let last = at;
    while (at < length) {
      const code = codes[at]!;
      const kind = c.classOf(code);
      if (code === BLANK && at === last) {
        at++;
      } else if (code === DOUBLE_QUOTE) {
        // A name in quotes is another one than the same without them, which may be a keyword.
        let a = QUOTED_SEED_A;
        let b = QUOTED_SEED_B;
        let end = at + 1;
        for (; end < length; end++) {
          const inner = codes[end]!;
          if (inner === DOUBLE_QUOTE) {
            break;
          }
          a = Math.imul(a ^ inner, PRIME_A);
          b = Math.imul(b ^ inner, PRIME_B);
        }
        end++;
        if (end > length || this.#attentive || c.codeAt(sql, end) === DOUBLE_QUOTE) {
          end = this.#rareName(at, at + 1);
        } else {
          if (tables.expecting) {
            tables.name(at, end, true);
          }
          this.#id.add(a, b);
          this.#before = PLAIN_NAME;
        }
        last = at = end;
      } else if (kind === LETTER) {
        let a = SEED_A;
        let b = SEED_B;
        let end = at;
        do {
          const lower = c.inWord(codes[end]!);
          if (lower === 0) {
            break;
          }
          a = Math.imul(a ^ lower, PRIME_A);
          b = Math.imul(b ^ lower, PRIME_B);
        } while (++end < length);
        const word = this.#before === POINT ? PLAIN_NAME : is.wordNumber(a, b);
        if (end === at + 1 && isPrefix(sql, at, code)) {
          end = this.#prefixed(at);
        } else if (
          (this.#attentive || tables.expecting || is.flagsOf(word) > OPERAND) &&
          this.#isValue(word, at, end)
        ) {
          this.#value(at, end, is.VALUE);
        } else {
          this.#id.add(a, b);
          this.#before = word;
        }
        last = at = end;
      } else if (code === DOT && this.#before === PLAIN_NAME) {
        last = at = this.#keep(at, code, POINT);
      } else if (code === COMMA) {
        tables.comma();
        last = at = this.#keep(at, code, SEPARATED);
      } else if (kind === SPACE || isComment(sql, at, code)) {
        lexer.at = last;
        lexer.skipBlank();
        ({ at } = lexer);
        this.#text.space(last, at);
      } else {
        last = at = this.#other(at, last, code, kind);
      }
    }
    return this.#forgetRows(last);
  }

  /** What is neither word nor name in quotes. @param last where the piece before ends @returns where it ends */
  #other(at: number, last: number, code: number, kind: number): number {
    const lexer = this.#lexer;
    lexer.at = at;
    switch (code) {
      case DOT:
        return lexer.skipValue() ? this.#value(at, lexer.at, is.VALUE) : this.#keep(at, code, POINT);
      case c.OPEN:
        return this.#open(at);
      case c.CLOSE:
        return this.#close(at);
      case c.QUOTE:
        lexer.skipValue();
        return this.#value(at, lexer.at, is.STRING);
      case c.QUESTION:
        return this.#question(at);
      case c.COLON:
        return this.#colon(at);
      case c.SEMICOLON:
        return this.#semicolon(at, last);
      case c.OPEN_BRACKET:
        return this.#openBracket(at);
      case c.CLOSE_BRACKET:
        return this.#keep(at, code, is.CLOSED);
      case c.DOLLAR:
        return lexer.skipValue() ? this.#value(at, lexer.at, is.VALUE) : this.#keep(at, code, is.ANYTHING);
      default:
    }
    switch (kind) {
      case c.DIGIT:
        lexer.skipValue();
        return this.#value(at, lexer.at, is.VALUE);
      case c.SIGN:
      case c.MARK:
        return this.#operator(at, code);
      default:
        return this.#keep(at, code, is.ANYTHING);
    }
  }

  /** `E'…'`, `U&"…"` */
  #prefixed(at: number): number {
    const lexer = this.#lexer;
    lexer.at = at;
    if (lexer.skipValue()) {
      return this.#value(at, lexer.at, is.STRING);
    }
    return this.#rareName(at, at + 3);
  }

  /** A name in quotes that has quotes in it, is that of a savepoint, or does not end. @param from behind the opening quote */
  #rareName(at: number, from: number): number {
    const lexer = this.#lexer;
    const sql = this.#sql;
    const end = lexer.quotedEnd(from, '"');
    if (lexer.broken || this.#isSavepoint()) {
      return this.#value(at, end, is.VALUE);
    }
    let a = QUOTED_SEED_A;
    let b = QUOTED_SEED_B;
    for (let place = from; place < end - 1; place++) {
      a = Math.imul(a ^ charCodeAt(sql, place), PRIME_A);
      b = Math.imul(b ^ charCodeAt(sql, place), PRIME_B);
    }
    if (this.#tables.expecting) {
      this.#tables.name(from - 1, end, true, true);
    }
    this.#id.add(a, b);
    this.#before = PLAIN_NAME;
    return end;
  }

  /** A string in several pieces is one value. @returns `end` */
  #value(at: number, end: number, as: number): number {
    if (as === is.STRING && this.#before === is.STRING) {
      this.#text.skip(end);
    } else {
      this.#tables.other();
      this.#put(at, end, '?', VALUE_SUM);
      this.#before = as;
    }
    return end;
  }

  #operator(at: number, code: number): number {
    if (code >= c.LESS && code <= c.GREATER && !c.isSign(c.codeAt(this.#sql, at + 1))) {
      // The usual ones: `=`, `<`, `>`.
      return this.#keep(at, code, is.OPERATOR);
    }
    const lexer = this.#lexer;
    const sql = this.#sql;
    const end = lexer.operatorEnd();
    if (end <= at + 1) {
      if (code === c.MINUS && is.takesOperand(this.#before)) {
        lexer.at = at + 1;
        lexer.skipBlank();
        if (lexer.beginsNumber()) {
          lexer.skipValue();
          return this.#value(at, lexer.at, is.VALUE);
        }
      }
      return this.#keep(at, code, is.OPERATOR);
    }
    let a = SEED_A;
    let b = SEED_B;
    for (let place = at; place < end; place++) {
      a = Math.imul(a ^ charCodeAt(sql, place), PRIME_A);
      b = Math.imul(b ^ charCodeAt(sql, place), PRIME_B);
    }
    this.#id.add(a, b);
    this.#before = is.OPERATOR;
    return end;
  }

  #open(at: number): number {
    const before = this.#before;
    if (before === is.VALUES && this.#beforeRows === undefined) {
      this.#outerRowsAt.push(this.#rowsAt);
      this.#rowsAt = this.#depth;
    }
    if (is.takesOperand(before) && this.#list(at, before)) {
      return this.#depth === this.#rowsAt ? this.#rows(this.#lexer.at) : this.#lexer.at;
    }
    this.#tables.open();
    this.#depth++;
    return this.#keep(at, c.OPEN, is.OPENED);
  }

  #close(at: number): number {
    this.#tables.close();
    this.#depth = Math.max(this.#depth - 1, 0);
    const end = this.#keep(at, c.CLOSE, is.CLOSED);
    return this.#depth === this.#rowsAt ? this.#rows(end) : end;
  }

  #openBracket(at: number): number {
    if (this.#before === is.ARRAY && this.#list(at, is.ARRAY)) {
      return this.#lexer.at;
    }
    return this.#keep(at, c.OPEN_BRACKET, is.OPENED_BRACKET);
  }

  /** A list of nothing but values becomes one of one. @returns whether it was one: the lexer is behind it */
  #list(at: number, before: number): boolean {
    const list = readValueList(this.#lexer);
    if (list === undefined) {
      return false;
    }
    const { at: end } = this.#lexer;
    this.#tables.other();
    if (before === is.ARRAY) {
      this.#put(at, end, list.nested ? '[[?]]' : '[?]', list.nested ? NESTED_ARRAY_SUM : ARRAY_SUM);
    } else {
      this.#put(at, end, list.nested ? '((?))' : '(?)', list.nested ? NESTED_LIST_SUM : LIST_SUM);
    }
    const quantified = before === is.ANY || before === is.ALL || before === is.SOME;
    if (before === is.IN || quantified) {
      // `any('{1,2}')`
      this.#hasList ||= list.several || (quantified && this.#sql.slice(at, end).includes(','));
    }
    this.#before = is.CLOSED;
    return true;
  }

  /**
   * Behind a row of `values`: those that follow are left out. One of nothing but values is skipped here; another one is read as
   * all else is, for its tables, and forgotten when the last one closes.
   * @returns where to go on
   */
  #rows(end: number): number {
    const lexer = this.#lexer;
    for (let row = end; ; row = lexer.at) {
      lexer.at = row;
      lexer.skipBlank();
      const follows = c.codeAt(this.#sql, lexer.at) === COMMA;
      lexer.at++;
      lexer.skipBlank();
      if (!follows || c.codeAt(this.#sql, lexer.at) !== c.OPEN) {
        this.#rowsAt = this.#outerRowsAt.pop() ?? NOWHERE;
        return this.#forgetRows(row);
      }
      this.#hasList = true;
      this.#beforeRows ??= { id: this.#id.copy(), text: this.#text.copy(row) };
      if (readValueList(lexer) === undefined) {
        this.#before = SEPARATED;
        return lexer.at;
      }
    }
  }

  /** As if there had been one row. @param end where they end @returns `end` */
  #forgetRows(end: number): number {
    if (this.#beforeRows !== undefined) {
      this.#id = this.#beforeRows.id;
      this.#text = this.#beforeRows.text;
      this.#text.skip(end);
      this.#beforeRows = undefined;
      this.#before = is.CLOSED;
    }
    return end;
  }

  #question(at: number): number {
    const lexer = this.#lexer;
    if (lexer.skipValue()) {
      return this.#value(at, lexer.at, is.VALUE);
    }
    if (c.codeAt(this.#sql, at + 1) !== c.QUESTION) {
      return this.#operator(at, c.QUESTION);
    }
    // MikroORM writes a name there.
    this.#put(at, at + 2, '??', NAME_SUM);
    this.#before = PLAIN_NAME;
    return at + 2;
  }

  #colon(at: number): number {
    const lexer = this.#lexer;
    const before = this.#before;
    if (c.codeAt(this.#sql, at + 1) === c.COLON) {
      this.#put(at, at + 2, '::', CAST_SUM);
      this.#before = is.CAST;
      return at + 2;
    }
    // Else it is that of `a[x:y]`.
    const operand = is.takesOperand(before) || is.isListed(before);
    const named = operand || (before === PLAIN_NAME && !followsName(this.#sql, at));
    if (named && before !== is.OPENED_BRACKET && lexer.skipValue()) {
      return this.#value(at, lexer.at, is.VALUE);
    }
    return this.#keep(at, c.COLON, is.OPERATOR);
  }

  /** Semicolons before the first statement and behind the last one are nothing. @param last where the piece before ends */
  #semicolon(at: number, last: number): number {
    const lexer = this.#lexer;
    do {
      lexer.at++;
      lexer.skipBlank();
    } while (c.codeAt(this.#sql, lexer.at) === c.SEMICOLON);
    const { at: next } = lexer;
    if (this.#before === is.START) {
      this.#text.skip(next);
      return next;
    }
    this.#forgetRows(last);
    this.#rowsAt = NOWHERE;
    this.#outerRowsAt.length = 0;
    this.#text.leaveOut(last, next);
    if (next === this.#sql.length) {
      return next;
    }
    this.#text.replace(next, next, '; ');
    this.#id.add(c.SEMICOLON, c.SEMICOLON);
    this.#tables.end();
    this.#several = true;
    this.#kind ??= 'other';
    this.#depth = 0;
    this.#before = is.START;
    return next;
  }

  /** One character that stays. @returns behind it */
  #keep(at: number, code: number, as: number): number {
    this.#id.add(code, code);
    this.#before = as;
    return at + 1;
  }

  /** A piece that is written in one way. */
  #put(at: number, end: number, form: string, sum: number): void {
    if (end !== at + form.length || !this.#sql.startsWith(form, at)) {
      this.#text.replace(at, end, form);
    }
    this.#id.add(sum, sum);
  }

  /** Takes note of a word. @returns whether it is a value */
  #isValue(word: number, at: number, end: number): boolean {
    const before = this.#before;
    const flags = is.flagsOf(word);
    if (this.#kind === undefined) {
      this.#decide(word, at, end);
    }
    if (flags === is.LITERAL) {
      return isLiteral(before);
    }
    if (word === PLAIN_NAME && this.#isSavepoint()) {
      return true;
    }
    this.#changes ||= (flags & is.CHANGES) !== 0 || (word === is.SHARE && isLock(before));
    this.#tables.word(word, before, at, end);
    return false;
  }

  /** The first word tells what the statement is; behind `with`, the first one of a query or a write. */
  #decide(word: number, at: number, end: number): void {
    const first = this.#before === is.START || this.#before === is.OPENED;
    if (this.#withAt !== NOWHERE) {
      if (this.#depth === this.#withAt && is.beginsMain(word)) {
        this.#kind = is.kindOf(word);
      }
    } else if (word === is.WITH && first) {
      this.#withAt = this.#depth;
    } else {
      this.#kind = first ? is.kindOf(word) : 'other';
      if ((is.flagsOf(word) & is.STEERS) === 0) {
        this.#tables.begin(this.#sql.slice(at, Math.min(end, at + LONGEST_OPERATION)).toLowerCase());
      }
    }
    this.#attentive = this.#kind === undefined || this.#kind === 'transaction';
  }

  #isSavepoint(): boolean {
    const before = this.#before;
    return this.#kind === 'transaction' && (before === is.SAVEPOINT || before === is.TO || before === is.RELEASE);
  }
}

/** `null`, `true` and `false` are values, but in `is null`, `not null`, `on true`, `set null` and `as null`. */
function isLiteral(before: number): boolean {
  return before !== is.IS && before !== is.NOT && before !== is.ON && before !== is.SET && before !== is.AS;
}

/** `for share`, `for key share` */
function isLock(before: number): boolean {
  return before === is.FOR || before === is.KEY;
}

/** `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`, `U&"…"` */
function isPrefix(sql: string, at: number, code: number): boolean {
  const next = c.codeAt(sql, at + 1);
  if (next === c.QUOTE) {
    return 'eEbBxXnN'.includes(String.fromCharCode(code));
  }
  const third = next === c.AMPERSAND && (code | 32) === 117 ? c.codeAt(sql, at + 2) : 0;
  return third === c.QUOTE || third === DOUBLE_QUOTE;
}

function isComment(sql: string, at: number, code: number): boolean {
  return (
    (code === c.MINUS && c.codeAt(sql, at + 1) === c.MINUS) || (code === c.SLASH && c.codeAt(sql, at + 1) === c.STAR)
  );
}

/** Whether a character stands directly behind a name. */
function followsName(sql: string, at: number): boolean {
  const code = c.codeAt(sql, at - 1);
  return c.isInWord(code) || code === DOUBLE_QUOTE;
}
