/** What is used of an answer of node:http or node:http2. */
export interface NodeResponse {
  readonly headersSent: boolean;
  readonly writableFinished?: boolean;
  readonly destroyed?: boolean;
  getHeader(name: string): number | string | readonly string[] | undefined;
  appendHeader(name: string, value: string): unknown;
  writeHead(...args: never[]): unknown;
  emit(...args: never[]): boolean;
  once(event: string, listener: () => void): unknown;
}

/** The third argument of `writeHead`, in each of the forms that Node.js takes: by name, in turns, in pairs. */
type Head = Readonly<Record<string, unknown>> | readonly unknown[];

const NAME = 'server-timing';

/**
 * Has `value` asked when the head of the answer is about to be sent, and adds it as Server-Timing, beside those that are
 * there. `write()`, `end()` and `flushHeaders()` of Node.js all call `writeHead`, so that is the one place.
 */
export function atHead(response: NodeResponse, value: () => string | undefined): void {
  const writeHead = response.writeHead as (...args: unknown[]) => unknown;
  response.writeHead = ((...args: unknown[]): unknown => {
    const added = response.headersSent ? undefined : value();
    return writeHead.apply(response, added === undefined ? args : withHeader(response, args, added));
  }) as NodeResponse['writeHead'];
}

/** `writeHead(status, head?)` or `writeHead(status, reason, head?)`. */
function withHeader(response: NodeResponse, args: unknown[], value: string): unknown[] {
  const [status, reason, last] = args;
  const given = typeof reason === 'string' ? last : (last ?? reason);
  const head = typeof given === 'object' && given !== null ? (given as Head) : undefined;
  if (head === undefined || (!hasName(head) && response.getHeader(NAME) !== undefined)) {
    // What `head` does not name Node.js takes from here. That it is set already, or that there is no `head`, makes sure that
    // Node.js goes on to treat `head` as it did.
    response.appendHeader(NAME, value);
    return args;
  }
  const whole = withOne(head, value);
  return typeof reason === 'string' ? [status, reason, whole] : [status, whole];
}

function hasName(head: Head): boolean {
  const names = !isList(head) ? Object.keys(head) : isInPairs(head) ? head.map(([name]) => name) : inTurns(head);
  return names.some(isName);
}

function inTurns(head: readonly unknown[]): readonly unknown[] {
  return head.filter((_, index) => index % 2 === 0);
}

/** In the form in which it came. */
function withOne(head: Head, value: string): Head {
  if (isList(head)) {
    return isInPairs(head) ? [...head, [NAME, value]] : [...head, NAME, value];
  }
  // Of names that differ in case only Node.js takes the last, if it does not send both.
  const key = Object.keys(head).findLast(isName);
  return key === undefined ? { ...head, [NAME]: value } : { ...head, [key]: [head[key], value].flat() };
}

function isName(name: unknown): boolean {
  return String(name).toLowerCase() === NAME;
}

function isList(head: Head): head is readonly unknown[] {
  return Array.isArray(head);
}

function isInPairs(head: readonly unknown[]): head is readonly (readonly [unknown, unknown])[] {
  return Array.isArray(head[0]);
}
