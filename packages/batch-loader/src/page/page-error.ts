import { inspect } from 'node:util';
import { BatchLoaderError } from '../errors.ts';

/** A wrong argument of `page()`: the contract, the value received, the remedy. */
export function argumentError(contract: string, received: unknown, remedy: string): BatchLoaderError {
  return new BatchLoaderError('ARGUMENT', `${contract}, received ${shown(received)}. ${remedy}`);
}

/** A cursor that is not one of this page's. Its values came from a client: the message repeats none of them. */
export function cursorError(what: string, cause?: unknown): BatchLoaderError {
  return new BatchLoaderError(
    'CURSOR',
    `page() was given a cursor ${what}. Pass a startCursor or endCursor of the same entity and orderBy, unchanged`,
    cause === undefined ? undefined : { cause },
  );
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 1, breakLength: Infinity });
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
