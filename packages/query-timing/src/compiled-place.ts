/** Where something is: file, and line and column from 1. */
export interface CodePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A place in compiled code as a stack would show it. Vitest, Jest and other loaders that compile in memory keep their source
 * maps to themselves; what they have put in `Error.prepareStackTrace` knows them, so it is asked to show a stack of this one
 * frame. To be called for reports only: it may read files.
 * @returns the place itself if there is nobody to ask
 */
export function compiledPlace(place: CodePlace): CodePlace {
  const { prepareStackTrace } = Error;
  if (typeof prepareStackTrace !== 'function') {
    return place;
  }
  try {
    const text: unknown = prepareStackTrace(new Error('where'), [new Frame(place)]);
    const shown = typeof text === 'string' ? /\bat (?:.*\()?(.+):(\d+):(\d+)\)?\s*$/.exec(text) : null;
    return shown === null ? place : { file: shown[1] as string, line: Number(shown[2]), column: Number(shown[3]) };
  } catch {
    // It is made for the frames of one engine's version, and may ask for what this one has not.
    return place;
  }
}

/** A frame as V8 gives it, of which nothing is known but its place: https://v8.dev/docs/stack-trace-api */
class Frame implements NodeJS.CallSite {
  readonly #place: CodePlace;

  constructor(place: CodePlace) {
    this.#place = place;
  }

  getFileName(): string {
    return this.#place.file;
  }
  getScriptNameOrSourceURL(): string {
    return this.#place.file;
  }
  getLineNumber(): number {
    return this.#place.line;
  }
  getColumnNumber(): number {
    return this.#place.column;
  }
  getEnclosingLineNumber(): number {
    return this.#place.line;
  }
  getEnclosingColumnNumber(): number {
    return this.#place.column;
  }
  getFunctionName(): null {
    return null;
  }
  getMethodName(): null {
    return null;
  }
  getTypeName(): null {
    return null;
  }
  getPromiseIndex(): null {
    return null;
  }
  getPosition(): number {
    return 0;
  }
  getScriptHash(): string {
    return '';
  }
  getThis(): undefined {
    return undefined;
  }
  getFunction(): undefined {
    return undefined;
  }
  getEvalOrigin(): undefined {
    return undefined;
  }
  isToplevel(): boolean {
    return true;
  }
  isAsync(): boolean {
    return false;
  }
  isConstructor(): boolean {
    return false;
  }
  isEval(): boolean {
    return false;
  }
  isNative(): boolean {
    return false;
  }
  isPromiseAll(): boolean {
    return false;
  }
}
