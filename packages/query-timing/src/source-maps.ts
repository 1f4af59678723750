import { readFileSync, statSync } from 'node:fs';
import { findSourceMap, SourceMap } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type CodePlace, compiledPlace } from './compiled-place.ts';

/** Longer files are left alone: nobody should wait for one to be read. */
const MOST_BYTES = 20_000_000;
const MOST_FILES = 500;

interface FileMap {
  readonly map: Pick<SourceMap, 'findOrigin'>;
  /** What its sources are relative to. */
  readonly base: URL;
}

/**
 * Finds the source of what was compiled. It may read files: to be asked for reports only, never near a query.
 *
 * Asked are, in this order, Node (`--enable-source-maps`), a loader that compiles in memory, and the comment at the end of
 * the file (https://tc39.es/ecma426/#sec-linking-generated-code), for those who start `dist/main.js` without any flag.
 */
export class SourceMaps {
  /** Weakly: a map takes many times the room of its file, and each place is asked for once. `undefined`: there is none. */
  readonly #ofFiles = new Map<string, WeakRef<FileMap> | undefined>();

  /** @returns the place itself, as a path, where nothing is known */
  origin(place: CodePlace): CodePlace {
    const path = pathOf(place.file);
    const same = { ...place, file: path };
    const map = findSourceMap(place.file) ?? findSourceMap(path);
    if (map !== undefined) {
      return originIn({ map, base: pathToFileURL(path) }, place) ?? same;
    }
    const shown = compiledPlace(place);
    if (shown.line !== place.line || shown.column !== place.column) {
      return { ...shown, file: pathOf(shown.file) };
    }
    const own = this.#ofFile(path);
    return (own === undefined ? undefined : originIn(own, place)) ?? same;
  }

  #ofFile(path: string): FileMap | undefined {
    const known = this.#ofFiles.get(path);
    if (known === undefined && this.#ofFiles.has(path)) {
      return undefined;
    }
    const map = known?.deref() ?? readMap(path);
    if (known !== undefined || this.#ofFiles.size < MOST_FILES) {
      this.#ofFiles.set(path, map === undefined ? undefined : new WeakRef(map));
    }
    return map;
  }
}

function originIn({ map, base }: FileMap, { line, column }: CodePlace): CodePlace | undefined {
  try {
    const origin = map.findOrigin(line, column);
    return 'fileName' in origin
      ? { file: pathOf(new URL(origin.fileName, base).href), line: origin.lineNumber, column: origin.columnNumber }
      : undefined;
  } catch {
    // A map that is damaged tells nothing.
    return undefined;
  }
}

function readMap(path: string): FileMap | undefined {
  try {
    const link = /^\/\/[#@] sourceMappingURL=(\S+)\s*$/m.exec(lastLines(readBounded(path)))?.[1];
    if (link === undefined) {
      return undefined;
    }
    const base = new URL(link, pathToFileURL(path));
    const text = base.protocol === 'data:' ? dataOf(link) : readBounded(fileURLToPath(base));
    const payload = JSON.parse(text) as ConstructorParameters<typeof SourceMap>[0];
    const folder = base.protocol === 'data:' ? pathToFileURL(path) : base;
    return {
      map: new SourceMap(payload),
      base: new URL(payload.sourceRoot ? `${payload.sourceRoot.replace(/\/?$/, '/')}` : '.', folder),
    };
  } catch {
    // No file, no map, or one that nobody can read: the place is told as the engine knows it.
    return undefined;
  }
}

function readBounded(path: string): string {
  if (statSync(path).size > MOST_BYTES) {
    throw new RangeError('The file is too long.');
  }
  return readFileSync(path, 'utf8');
}

/** The comment is the last line that is not empty. */
function lastLines(text: string): string {
  const end = text.trimEnd();
  return end.slice(end.lastIndexOf('\n') + 1);
}

function dataOf(link: string): string {
  const [, encoding, data = ''] = /^data:[^,]*?(;base64)?,(.*)$/s.exec(link) ?? [];
  return encoding === undefined ? decodeURIComponent(data) : Buffer.from(data, 'base64').toString();
}

/** A file as the engine has it may be a URL. */
export function pathOf(file: string): string {
  try {
    return file.startsWith('file:') ? fileURLToPath(file) : file;
  } catch {
    return file;
  }
}
