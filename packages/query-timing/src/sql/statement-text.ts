/** Of a statement's text, in characters. */
export const LONGEST_TEXT = 4096;

/**
 * The text of a statement with some pieces replaced, white space made one space and comments left out. What stays as it is is
 * copied in long runs: there is hardly a string for each piece.
 */
export class StatementText {
  readonly #sql: string;
  #done = '';
  /** Where the run begins that is not copied yet. */
  #from: number;
  /** Whether a space stands before it. */
  #spaced = false;

  /** @param from where the first piece begins */
  constructor(sql: string, from: number) {
    this.#sql = sql;
    this.#from = from;
  }

  /** Between a piece that ends and the next one is what becomes one space: a line end, a comment. */
  space(end: number, next: number): void {
    this.#copy(end);
    this.#from = next;
    this.#spaced = true;
  }

  /** A piece for which another one is written. */
  replace(at: number, end: number, by: string): void {
    this.#copy(at);
    this.#add(by);
    this.#from = end;
  }

  /** All up to here is left out that is not copied yet. */
  skip(end: number): void {
    this.#from = end;
    this.#spaced = false;
  }

  /** All between the end of a piece and the next one is left out. */
  leaveOut(end: number, next: number): void {
    this.#copy(end);
    this.skip(next);
  }

  /** The same, up to the end of a piece: to go on from if what comes then is left out. */
  copy(end: number): StatementText {
    this.#copy(end);
    const copy = new StatementText(this.#sql, end);
    copy.#done = this.#done;
    return copy;
  }

  /**
   * At most `LONGEST_TEXT` characters; one that is cut ends with `…`. Holds on to nothing of a text that was changed.
   * @param end of the last piece
   */
  finish(end: number): string {
    if (this.#from === 0 && end === this.#sql.length && end <= LONGEST_TEXT) {
      return this.#sql;
    }
    this.#copy(end);
    if (this.#done.length <= LONGEST_TEXT) {
      return detached(this.#done);
    }
    return detached(`${this.#done.slice(0, LONGEST_TEXT - 1).toWellFormed()}…`);
  }

  #copy(end: number): void {
    if (end > this.#from) {
      this.#add(this.#sql.slice(this.#from, Math.min(end, this.#from + LONGEST_TEXT + 1)));
      this.#from = end;
    }
  }

  #add(piece: string): void {
    if (this.#done.length <= LONGEST_TEXT) {
      this.#done += this.#spaced ? ` ${piece}` : piece;
    }
    this.#spaced = false;
  }
}

/** The same text, which does not keep alive the one it was cut out of: engines share the characters of all but short ones. */
export function detached(text: string): string {
  return text.length <= 12 ? text : ` ${text}`.slice(1);
}
