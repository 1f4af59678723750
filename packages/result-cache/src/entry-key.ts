import { hash } from 'node:crypto';

/** All that decides what a read returns, apart from the data itself. */
export interface KeyParts {
  /** Which database it is (`DatabaseIdentity`), and whom the connection logs in as: policies may depend on it. */
  readonly database: string;
  readonly user: string;
  readonly searchPath: readonly string[];
  /** What is kept: the rows of which method, mapped how. */
  readonly mode: string;
  /** The mapping of the tables that the statement reads. */
  readonly shape: string;
  readonly sql: string;
  /** The values, types included. */
  readonly params: string;
}

/** Raised when what is kept under a key changes its meaning. */
const VERSION = 1;

/** All parts of a key that do not change from one call of a form to the next. */
export function keyBase(parts: KeyParts): string {
  const { database, user, searchPath, mode, shape, sql, params } = parts;
  return [VERSION, database, user, searchPath.join(), mode, shape, sql, params].map(lengthed).join('');
}

/** @param surroundings session context and scope, as a typed text */
export function entryKey(entity: string, base: string, surroundings: string): string {
  return `${entity}:${hash('sha256', base + lengthed(surroundings), 'base64url').slice(0, 24)}`;
}

/** Where a part ends is said before it, so that no two lists of parts give one text. */
function lengthed(part: string | number): string {
  const text = String(part);
  return `${text.length}:${text}`;
}
