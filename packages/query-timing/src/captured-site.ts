import type { CallSite } from './call-site.ts';
import type { SourceMaps } from './source-maps.ts';

/** A place as the engine has told of it. Where it is in the source is found out when somebody looks. */
export class CapturedSite implements CallSite {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly function: string | undefined;
  readonly parallel: boolean;
  readonly caller: CallSite | undefined;
  readonly #maps: SourceMaps;
  #mapped: CallSite | undefined = undefined;

  constructor(site: CallSite, maps: SourceMaps) {
    this.file = site.file;
    this.line = site.line;
    this.column = site.column;
    this.function = site.function;
    this.parallel = site.parallel;
    this.caller = site.caller;
    this.#maps = maps;
  }

  /** The same in the words of the source. It may read files. */
  get mapped(): CallSite {
    this.#mapped ??= {
      ...this.#maps.origin(this),
      function: this.function,
      parallel: this.parallel,
      caller: this.caller instanceof CapturedSite ? this.caller.mapped : this.caller,
    };
    return this.#mapped;
  }
}
