import { classOf, codeAt, DOT, isInWord, OPEN, SPACE } from './characters.ts';
import { detached } from './statement-text.ts';
import * as is from './words.ts';

/* Constants of other modules are looked up whenever they are used: these are many, and many times. */
const {
  BETWEEN,
  CALL,
  DELETE,
  DISTINCT,
  DO,
  ENDS,
  FOR,
  FROM,
  INSERT,
  INTO,
  JOIN,
  KEY,
  MERGE,
  NAME,
  ON,
  PLAIN_NAME,
  SELECT,
  START,
  STEERS,
  TABLE,
  THEN,
  TRUNCATE,
  UPDATE,
  USING,
  VALUES,
  WITH,
} = is;

/** Tables that are told of. */
const MOST_TABLES = 8;
/** Of a name; PostgreSQL keeps 63 bytes of it. */
const LONGEST_NAME = 128;
/** Of a summary, as OpenTelemetry has it. */
const LONGEST_SUMMARY = 255;
/** Names of `with` that are looked out for. */
const MOST_WITHS = 64;
/** Deeper parentheses count as one. */
const DEEPEST = 31;

/* What is expected next. */
const NOTHING = 0;
/** A table, behind `from` or `join`: a name with a parenthesis behind it is a function. */
const SOURCE = 1;
/** A table, behind `into`, `update` …: a name with a parenthesis behind it has its columns there. */
const TARGET = 2;
/** A name that `with` gives. */
const WITH_NAME = 3;
/** Behind `call`. */
const PROCEDURE = 4;

/**
 * Finds the tables of a statement, and sums it up, from its pieces as they come: by the places where tables are named, without
 * parsing. Which clause there is in which parentheses is a bit of a number for each clause.
 *
 * Source of the summary: OpenTelemetry, semantic conventions, `db.query.summary`.
 */
export class TableReader {
  readonly #sql: string;
  /** Without schema and quotes, each once, in the order of the text. */
  readonly tables: string[] = [];
  #summary = '';
  #full = false;
  #withNames: string[] | undefined;
  #expected = NOTHING;
  #depth = 0;
  /** Of the parentheses that the next piece is in. */
  #bit = 1;
  /** Where there is a query or a write, which may have a `from`. */
  #queries = 0;
  /** Where a comma leads to the next table. */
  #sources = 0;
  /** Where a comma leads to the next name that `with` gives. */
  #withs = 0;
  /** Where `using` announces a table. */
  #usings = 0;
  /** What is created is an index: `on` announces a table. */
  #creates = false;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Whether a name is expected. */
  get expecting(): boolean {
    return this.#expected !== NOTHING;
  }

  /** `{operation} {table} …`, at most 255 characters, whole words. Operations are in lower case. */
  get summary(): string {
    return this.#summary;
  }

  /** The first word of a statement, where it is none of a query or a write. */
  begin(operation: string): void {
    this.#sum(operation);
    this.#creates = operation === 'create';
  }

  /** A word without quotes. @param before what stood before it */
  word(word: number, before: number, at: number, end: number): void {
    const flags = is.flagsOf(word);
    if ((flags & STEERS) !== 0) {
      this.#steer(word, before);
    } else if ((flags & ENDS) !== 0) {
      this.#expected = NOTHING;
      this.#sources &= ~this.#bit;
    } else if (this.#expected === NOTHING || (flags & BETWEEN) !== 0) {
      return;
    } else if (word === PLAIN_NAME || (flags & NAME) !== 0) {
      this.name(at, end, false);
    } else {
      this.#expected = NOTHING;
    }
  }

  /** A name, where one is expected. @param doubled whether it may have quotes in it */
  name(at: number, end: number, quoted: boolean, doubled = false): void {
    const expected = this.#expected;
    const next = this.#afterSpace(end);
    if (codeAt(this.#sql, next) === DOT) {
      return;
    }
    this.#expected = NOTHING;
    const call = codeAt(this.#sql, next) === OPEN;
    if (expected === WITH_NAME) {
      if (call || this.#sql.slice(next, next + 2).toLowerCase() === 'as') {
        this.#withs |= this.#bit;
        this.#withNames ??= [];
        if (this.#withNames.length < MOST_WITHS) {
          this.#withNames.push(this.#nameOf(at, end, quoted, doubled));
        }
      }
      return;
    }
    if (call && expected === SOURCE) {
      return;
    }
    const name = this.#nameOf(at, end, quoted, doubled);
    if (expected === PROCEDURE) {
      this.#sum(name);
    } else if (!this.#withNames?.includes(name)) {
      // A name of several words keeps its quotes, so that it can be told from several names.
      this.#sum(quoted && !isWord(name) ? detached(this.#sql.slice(at, Math.min(end, at + LONGEST_NAME))) : name);
      if (this.tables.length < MOST_TABLES && !this.tables.includes(name)) {
        this.tables.push(name);
      }
    }
  }

  /** An opening parenthesis. What is expected may stand in it. */
  open(): void {
    this.#depth++;
    this.#bit = 1 << Math.min(this.#depth, DEEPEST);
    const others = ~this.#bit;
    this.#queries &= others;
    this.#withs &= others;
    this.#usings &= others;
    this.#sources = this.#expected === SOURCE ? this.#sources | this.#bit : this.#sources & others;
  }

  close(): void {
    this.#expected = NOTHING;
    this.#depth = Math.max(this.#depth - 1, 0);
    this.#bit = 1 << Math.min(this.#depth, DEEPEST);
  }

  comma(): void {
    this.#expected = (this.#sources & this.#bit) !== 0 ? SOURCE : (this.#withs & this.#bit) !== 0 ? WITH_NAME : NOTHING;
  }

  /** Anything else: what was expected does not come. */
  other(): void {
    this.#expected = NOTHING;
  }

  /** A semicolon. */
  end(): void {
    this.#expected = NOTHING;
    this.#depth = 0;
    this.#bit = 1;
    this.#queries = 0;
    this.#sources = 0;
    this.#withs = 0;
    this.#usings = 0;
    this.#creates = false;
    this.#withNames = undefined;
  }

  #steer(word: number, before: number): void {
    const expected = this.#expected;
    this.#expected = NOTHING;
    switch (word) {
      case SELECT:
        this.#creates = false;
        this.#operation(word);
        break;
      case FROM:
        // Else it is `extract(year from …)`, `is distinct from`.
        if ((this.#queries & this.#bit) !== 0 && before !== DISTINCT) {
          this.#expected = SOURCE;
          this.#sources |= this.#bit;
        }
        break;
      case JOIN:
        this.#expected = SOURCE;
        break;
      case ON:
        this.#expected = this.#creates ? TARGET : NOTHING;
        this.#creates = false;
        break;
      case INTO:
        this.#expected = TARGET;
        break;
      case VALUES:
        this.#withs &= ~this.#bit;
        if (this.#summary === '') {
          this.#operation(word);
        }
        break;
      case INSERT:
        if (before !== THEN) {
          this.#operation(word);
        }
        break;
      case UPDATE:
        // Else it is `for update`, `for no key update`, `do update`, `on update`, `then update`.
        if (![FOR, KEY, DO, ON, THEN].includes(before)) {
          this.#operation(word);
          this.#expected = TARGET;
        }
        break;
      case DELETE:
        if (before !== THEN && before !== ON) {
          this.#operation(word);
          this.#usings |= this.#bit;
        }
        break;
      case MERGE:
        this.#operation(word);
        this.#usings |= this.#bit;
        break;
      case USING:
        if ((this.#usings & this.#bit) !== 0) {
          this.#usings &= ~this.#bit;
          this.#expected = SOURCE;
          this.#sources |= this.#bit;
        }
        break;
      case TRUNCATE:
        this.#operation(word);
        this.#expected = TARGET;
        this.#sources |= this.#bit;
        break;
      case TABLE:
        // `truncate table`, `into table`
        if (expected === NOTHING) {
          this.#operation(word);
        }
        this.#creates = false;
        this.#expected = TARGET;
        break;
      case WITH:
        this.#expected = WITH_NAME;
        break;
      case CALL:
        if (before === START) {
          this.#operation(word);
          this.#expected = PROCEDURE;
        }
        break;
      default:
      // `rows from (…)` is no table, nor does `with ordinality` give a name; `index` is looked at when it is created.
    }
  }

  #operation(word: number): void {
    this.#queries |= this.#bit;
    this.#sources &= ~this.#bit;
    this.#withs &= ~this.#bit;
    this.#sum(is.wordText(word));
  }

  #sum(word: string): void {
    if (this.#full) {
      return;
    }
    const longer = this.#summary === '' ? word.slice(0, LONGEST_SUMMARY) : `${this.#summary} ${word}`;
    this.#full = longer.length > LONGEST_SUMMARY;
    if (!this.#full) {
      this.#summary = longer;
    }
  }

  #nameOf(at: number, end: number, quoted: boolean, doubled: boolean): string {
    const name = quoted
      ? this.#sql.slice(at + 1, Math.min(end - 1, at + 1 + LONGEST_NAME))
      : this.#sql.slice(at, Math.min(end, at + LONGEST_NAME)).toLowerCase();
    return detached(doubled ? name.replaceAll('""', '"') : name);
  }

  #afterSpace(from: number): number {
    let at = from;
    while (classOf(codeAt(this.#sql, at)) === SPACE) {
      at++;
    }
    return at;
  }
}

function isWord(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    if (!isInWord(name.charCodeAt(at))) {
      return false;
    }
  }
  return true;
}
