import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CallSite } from '../call-site.ts';

/**
 * The file of a call as it is seen from a folder, with `/` on every system: the same on each machine that has the same
 * tree. URLs of other kinds than `file:` stay what they are.
 */
export function fileOf({ file }: Pick<CallSite, 'file'>, folder: string): string {
  let path = file;
  if (file.startsWith('file:')) {
    try {
      path = fileURLToPath(file);
    } catch {
      return file;
    }
  }
  return /^[a-z][a-z\d+.-]+:/i.test(path) ? path : relative(folder, path).split(sep).join('/');
}
