import type { CallSite } from '../call-site.ts';

/** `src/books.ts:41`: the last two parts of the path, and the line. */
export function shortPlace(site: Pick<CallSite, 'file' | 'line'>): string {
  return `${filePath(site.file).split(/[\\/]/).slice(-2).join('/')}:${site.line}`;
}

/** `/app/src/books.ts:41:7`, as editors and terminals open it. */
export function fullPlace(site: Pick<CallSite, 'file' | 'line' | 'column'>): string {
  return `${filePath(site.file)}:${site.line}:${site.column}`;
}

/** A path, also where the engine knows the file by a URL. */
function filePath(file: string): string {
  if (!file.startsWith('file://')) {
    return file;
  }
  const path = file.slice('file://'.length);
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // A percent sign that is one.
  }
}
