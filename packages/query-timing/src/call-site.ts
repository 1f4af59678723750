/** A place in the user's code. */
export interface CallSite {
  /** Path or URL as the engine knows it; with a source map, of the original file once it has been looked up. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Name of the function, `undefined` at the top of a module and for one without a name. */
  readonly function: string | undefined;
  /** Whether it was reached through `Promise.all()` or a like of it. */
  readonly parallel: boolean;
  /** The next different place outwards. */
  readonly caller: CallSite | undefined;
}
