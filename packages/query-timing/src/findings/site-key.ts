import type { CallSite } from '../call-site.ts';
import { mapped } from '../call-sites.ts';

/** The same for calls from the same place, reached from the same place. */
export function siteKey({ file, line, column, caller }: CallSite): string {
  return `${file}:${line}:${column}<${caller?.file}:${caller?.line}`;
}

/** `books.ts:38` */
export function placeOf(site: CallSite): string {
  const { file, line } = mapped(site);
  return `${baseName(file)}:${line}`;
}

/** What a place is called on another day and another machine: `books listBooks`, without folder, ending and line. */
export function steadyName(site: CallSite | undefined): string | undefined {
  return site && `${baseName(site.file).replace(/\.[^.]*$/, '')} ${site.function ?? ''}`;
}

function baseName(file: string): string {
  const path = file.replace(/[?#].*$/s, '');
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).slice(0, 100);
}
