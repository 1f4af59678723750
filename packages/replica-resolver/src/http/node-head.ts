import { addHeader } from './add-header.ts';
import type { AnswerHeader } from './token-session.ts';

/** What is used of an answer of node:http or node:http2. */
export interface NodeResponse {
  readonly headersSent: boolean;
  getHeader(name: string): number | string | readonly string[] | undefined;
  appendHeader(name: string, value: string): unknown;
  writeHead(...args: never[]): unknown;
  emit(...args: never[]): boolean;
}

/** The third argument of `writeHead`, in each of the forms that Node.js takes: by name, in turns, in pairs. */
type Head = Readonly<Record<string, unknown>> | readonly unknown[];

/**
 * Has `headers` asked when the head of the answer is about to be sent, and adds them to it. `write()`, `end()` and
 * `flushHeaders()` of Node.js all call `writeHead`, so that is the one place.
 */
export function atHead(response: NodeResponse, headers: () => readonly AnswerHeader[]): void {
  const writeHead = response.writeHead as (...args: unknown[]) => unknown;
  response.writeHead = ((...args: unknown[]): unknown => {
    if (response.headersSent) {
      return writeHead.apply(response, args);
    }
    const added = headers();
    return writeHead.apply(response, added.length > 0 ? withHeaders(response, args, added) : args);
  }) as NodeResponse['writeHead'];
}

/** `writeHead(status, head?)` or `writeHead(status, reason, head?)`. */
function withHeaders(response: NodeResponse, args: readonly unknown[], added: readonly AnswerHeader[]): unknown[] {
  const [status, reason, last] = args;
  const given = typeof reason === 'string' ? last : (last ?? reason);
  let head = typeof given === 'object' && given !== null ? (given as Head) : undefined;
  for (const header of added) {
    addHeader(
      {
        values: name => {
          const inHead = head === undefined ? [] : valuesIn(head, name);
          return inHead.length > 0 ? inHead : listOf(response.getHeader(name));
        },
        add: (name, value) => {
          if (head !== undefined && (valuesIn(head, name).length > 0 || response.getHeader(name) === undefined)) {
            head = withOne(head, name, value);
          } else {
            // What `head` does not name Node.js takes from here. That it is set already, or that there is no `head`, makes
            // sure that Node.js goes on to treat `head` as it did.
            response.appendHeader(name, value);
          }
        },
      },
      header,
    );
  }
  if (head === undefined) {
    return [...args];
  }
  return typeof reason === 'string' ? [status, reason, head] : [status, head];
}

function valuesIn(head: Head, name: string): readonly unknown[] {
  return entries(head)
    .filter(([each]) => String(each).toLowerCase() === name)
    .flatMap(([, value]) => listOf(value));
}

function entries(head: Head): readonly (readonly [unknown, unknown])[] {
  if (!isList(head)) {
    return Object.entries(head);
  }
  if (inPairs(head)) {
    return head;
  }
  return head.flatMap((name, index) => (index % 2 === 0 ? [[name, head[index + 1]] as const] : []));
}

/** In the form in which it came. */
function withOne(head: Head, name: string, value: string): Head {
  if (isList(head)) {
    return inPairs(head) ? [...head, [name, value]] : [...head, name, value];
  }
  // Of names that differ in case only Node.js takes the last, if it does not send both.
  const key = Object.keys(head).findLast(each => each.toLowerCase() === name);
  return key === undefined ? { ...head, [name]: value } : { ...head, [key]: [...listOf(head[key]), value] };
}

function isList(head: Head): head is readonly unknown[] {
  return Array.isArray(head);
}

function inPairs(head: readonly unknown[]): head is readonly (readonly [unknown, unknown])[] {
  return Array.isArray(head[0]);
}

function listOf(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
