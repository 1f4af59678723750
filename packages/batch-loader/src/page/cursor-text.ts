import { createHash } from 'node:crypto';
import type { KeysetValues } from './keyset.ts';
import type { OrderTerm } from './order-terms.ts';
import { cursorError } from './page-error.ts';

/** What a cursor of MikroORM's own holds: the values of its `orderBy`, in JSON's types. */
export interface ForeignValues {
  readonly foreign: readonly unknown[];
}

const VERSION = 1;

/** Longer ones are not read. PostgreSQL's indexes hold values up to some 2 700 bytes, so orders in use stay far below. */
const MAX_LENGTH = 65_536;

/**
 * Which order a cursor belongs to. A cursor of another entity or order is not one of this page's, even where its values
 * would fit; and no client can tell from it what the columns are.
 */
export function orderSignature(className: string, terms: readonly OrderTerm[]): string {
  const order = terms.map(term => [term.path, term.descending, term.nullsFirst]);
  return createHash('sha256')
    .update(JSON.stringify([className, order]))
    .digest('base64url')
    .slice(0, 12);
}

/**
 * Writes a cursor: base64url of JSON, `{ v: version, o: order, k: values }`.
 *
 * @throws {BatchLoaderError} `CURSOR` if it were longer than can be read
 */
export function writeCursor(signature: string, values: KeysetValues): string {
  const text = Buffer.from(JSON.stringify({ v: VERSION, o: signature, k: values })).toString('base64url');
  if (text.length > MAX_LENGTH) {
    throw cursorError(`of more than ${MAX_LENGTH} characters, as its row has a value that long`);
  }
  return text;
}

/**
 * Reads a cursor, of {@link writeCursor} or of MikroORM's `Cursor`. Nothing in it is believed: it was in a client's hands.
 *
 * @throws {BatchLoaderError} `CURSOR`
 */
export function readCursor(
  text: string,
  signature: () => string,
  terms: readonly OrderTerm[],
): KeysetValues | ForeignValues {
  const content = parse(text);
  if (Array.isArray(content)) {
    return { foreign: content as readonly unknown[] };
  }
  if (typeof content !== 'object' || content === null || Object.keys(content).toSorted().join() !== 'k,o,v') {
    throw cursorError('that is none');
  }
  const { v, o, k } = content as Record<'v' | 'o' | 'k', unknown>;
  if (v !== VERSION) {
    throw cursorError('of another version');
  }
  if (o !== signature()) {
    throw cursorError('of another entity or orderBy');
  }
  if (!Array.isArray(k)) {
    throw cursorError('that is none');
  }
  return checkedValues(k, terms);
}

/**
 * Checks that values can be those of the columns: one of their texts each, null only where null can be.
 *
 * @throws {BatchLoaderError} `CURSOR`
 */
export function checkedValues(values: readonly unknown[], terms: readonly OrderTerm[]): KeysetValues {
  const given = terms.filter(term => term.given).length;
  // Without the key's values: of MikroORM, which does not add it.
  if (values.length !== terms.length && (values.length !== given || given === 0)) {
    throw cursorError(`of ${values.length} values instead of ${terms.length}`);
  }
  values.forEach((value, index) => {
    const term = terms[index]!;
    if (value === null ? !term.nullable : typeof value !== 'string' || term.text.write(value) !== value) {
      throw cursorError(`whose value number ${index + 1} is not one of its column`);
    }
  });
  return values as KeysetValues;
}

function parse(text: string): unknown {
  if (text.length === 0 || text.length > MAX_LENGTH) {
    throw cursorError(text.length === 0 ? 'that is empty' : `of more than ${MAX_LENGTH} characters`);
  }
  const bytes = Buffer.from(text, 'base64url');
  // Node passes over what is not base64url; one content has one text.
  if (bytes.toString('base64url') !== text) {
    throw cursorError('that is cut off or changed');
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw cursorError('that is cut off or changed');
  }
}
