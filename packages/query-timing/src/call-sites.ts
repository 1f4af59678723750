import { pathToFileURL } from 'node:url';
import type { CallSite } from './call-site.ts';
import { CapturedSite } from './captured-site.ts';
import { pathOf, SourceMaps } from './source-maps.ts';

/** Frames that are looked at: MikroORM's own are up to 25 deep before the first of the user's. */
const DEPTH = 40;
const MOST_SITES = 5_000;

/**
 * Finds out where a call was made: the first frame of the stack, `await`s included, that is neither Node's, nor of
 * `node_modules`, nor of this package. The stack is read by V8's structured call sites
 * (https://v8.dev/docs/stack-trace-api): no text is made of it.
 *
 * Trap: a function that returns a promise without awaiting it is not on the stack when the promise is settled; the place
 * shown is then the next one outwards.
 */
export class CallSites {
  readonly #ignore: readonly (string | RegExp)[];
  readonly #own: string;
  readonly #ownUrl: string;
  /** By file, line and column: one object for each place, however often it is called. */
  readonly #known = new Map<string, CallSite>();
  readonly #passedOver = new Map<string, boolean>();
  readonly #maps = new SourceMaps();

  /**
   * @param own folder of this package
   * @param ignore files that are passed over: a part of the path, or a pattern
   */
  constructor(own: string, ignore: readonly (string | RegExp)[]) {
    this.#own = own;
    this.#ownUrl = pathToFileURL(own).href;
    this.#ignore = ignore;
  }

  /** The place that has called, as the stack is now; some 10 to 50 µs. */
  capture(): CallSite | undefined {
    const frames = structuredStack();
    let site: NodeJS.CallSite | undefined;
    let parallel = false;
    for (const frame of frames) {
      // Behind the place, too: it may be in a function that was called for each of many.
      if (frame.isPromiseAll() || (frame.isAsync() && frame.getPromiseIndex() !== null)) {
        parallel = true;
      }
      const file = frame.getFileName() ?? frame.getScriptNameOrSourceURL();
      if (file === null || file === undefined || this.#isPassedOver(file)) {
        continue;
      }
      if (site === undefined) {
        site = frame;
      } else if (frame.getLineNumber() !== site.getLineNumber() || file !== fileOf(site)) {
        return this.#place(site, parallel, this.#place(frame, false, undefined));
      }
    }
    return site === undefined ? undefined : this.#place(site, parallel, undefined);
  }

  clear(): void {
    this.#known.clear();
  }

  #place(frame: NodeJS.CallSite, parallel: boolean, caller: CallSite | undefined): CallSite {
    const file = fileOf(frame);
    const line = frame.getLineNumber() ?? 0;
    const column = frame.getColumnNumber() ?? 0;
    const key = `${file}:${line}:${column}:${parallel}:${caller?.file}:${caller?.line}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = new CapturedSite({ file, line, column, function: nameOf(frame), parallel, caller }, this.#maps);
      if (this.#known.size < MOST_SITES) {
        this.#known.set(key, known);
      }
    }
    return known;
  }

  #isPassedOver(file: string): boolean {
    let answer = this.#passedOver.get(file);
    if (answer === undefined) {
      answer =
        file.startsWith('node:') ||
        // Files of ECMAScript modules are URLs in plain Node.js, and paths where a runner has compiled them.
        pathOf(file).startsWith(this.#own) ||
        file.startsWith(this.#ownUrl) ||
        /[/\\]node_modules[/\\]/.test(file) ||
        this.#ignore.some(each => (typeof each === 'string' ? file.includes(each) : each.test(file)));
      if (this.#passedOver.size < MOST_SITES) {
        this.#passedOver.set(file, answer);
      }
    }
    return answer;
  }
}

/** A place as a path, in the words of the source that a source map tells of. For reports only: it may read files. */
export function mapped(site: CallSite): CallSite {
  return site instanceof CapturedSite ? site.mapped : site;
}

function fileOf(frame: NodeJS.CallSite): string {
  return frame.getFileName() ?? frame.getScriptNameOrSourceURL() ?? '';
}

function nameOf(frame: NodeJS.CallSite): string | undefined {
  const name = frame.getFunctionName() ?? frame.getMethodName();
  const type = frame.getTypeName();
  if (name === null || name === '') {
    return undefined;
  }
  const bare = name.replace(/^async /, '');
  return type !== null &&
    type !== 'Object' &&
    type !== 'Function' &&
    !bare.includes('.') &&
    frame.isToplevel() === false
    ? `${type}.${bare}`
    : bare;
}

function structuredStack(): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  try {
    Error.stackTraceLimit = DEPTH;
    Error.prepareStackTrace = (_, frames) => frames;
    const holder: { stack?: unknown } = {};
    Error.captureStackTrace(holder, structuredStack);
    return holder.stack as NodeJS.CallSite[];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}
