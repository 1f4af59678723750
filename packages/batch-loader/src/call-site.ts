import { isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A moment of the stack; the text is made when it is read, which is what costs. */
export interface Trace {
  readonly stack?: string;
}

const OWN_FOLDER = fileURLToPath(new URL('.', import.meta.url));
// Between the user's code and this package are a few frames of MikroORM's and perhaps some of a framework's.
const DEPTH = 40;

/** Notes where the running code was called from. */
export function captureTrace(): Trace {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  try {
    const trace: Trace = {};
    Error.captureStackTrace(trace, captureTrace);
    return trace;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** The place in the user's own code, `file:line`, relative to the working directory if it is below; `undefined` if none shows. */
export function callSite(trace: Trace): string | undefined {
  for (const frame of (trace.stack ?? '').split('\n').slice(1)) {
    const place = /\(?((?:file:\/\/|[A-Za-z]:[\\/]|\/)[^()]*?):(\d+):\d+\)?$/.exec(frame);
    if (place === null) {
      continue;
    }
    const [, where, line] = place as unknown as [string, string, string];
    const file = where.startsWith('file://') ? fileURLToPath(where) : where;
    if (!/[\\/]node_modules[\\/]/.test(file) && !file.startsWith(OWN_FOLDER)) {
      const below = relative(process.cwd(), file);
      return `${below.startsWith('..') || isAbsolute(below) ? file : below}:${line}`;
    }
  }
  return undefined;
}
