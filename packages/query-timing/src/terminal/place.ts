import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CallSite } from '../call-site.ts';
import { printable } from './printable.ts';

/**
 * `src/books.ts:41 in listBooks`.
 * @param root what paths are shown relative to, where that is shorter
 */
export function place({ file, line, function: name }: CallSite, root: string): string {
  const where = `${printable(shortPath(file, root))}:${line}`;
  return name === undefined ? where : `${where} in ${printable(name)}`;
}

/** A file as it is seen from a folder; URLs of other kinds than `file:` stay what they are. */
export function shortPath(file: string, root: string): string {
  const path = pathOf(file);
  if (/^[a-z][a-z\d+.-]+:/i.test(path)) {
    return path;
  }
  const seen = relative(root, path);
  return seen !== '' && seen.length < path.length ? seen : path;
}

/** The path of a `file:` URL; anything else as it is. */
function pathOf(file: string): string {
  if (!file.startsWith('file:')) {
    return file;
  }
  try {
    return fileURLToPath(file);
  } catch {
    return file;
  }
}
