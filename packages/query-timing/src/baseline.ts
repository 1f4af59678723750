import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isObject, shown, wrong } from './checks.ts';
import { fileOf } from './ci/file-of.ts';
import { locked } from './ci/locked.ts';
import type { Finding } from './finding.ts';

/** A finding that is known, as its file has it. */
export interface KnownFinding {
  /** What decides whether another one is the same. All the rest is for people who read the file, and is compared with nothing. */
  readonly id: string;
  readonly kind: string;
  /** Text of the shape, table, index …; without values, at most 4096 characters. */
  readonly sql: string;
  /** Relative to the folder of the baseline, with `/`. */
  readonly file?: string;
  readonly function?: string;
  /** The most queries of one scope that were seen with it. A higher number is not told of. */
  readonly count: number;
}

/** Findings that are known: by file, function, kind and id. */
export interface Baseline {
  readonly version: 1;
  readonly findings: readonly KnownFinding[];
}

/** Of a file that is no baseline there is no end, maybe. */
const MOST_BYTES = 16_000_000;
const LONGEST = 4_096;
const UPDATE = 'Write it with writeBaseline(path, findings), or run the tests once with MIKROKIT_UPDATE_BASELINE=1.';

/**
 * Reads a file that `writeBaseline()` has written.
 * @throws OptionsError if there is none, or it is none
 */
export function readBaseline(path: string): Baseline {
  const text = textOf(path);
  if (text === undefined) {
    throw wrong('baseline', 'is the path of a baseline file', path, `There is no such file. ${UPDATE}`);
  }
  return parsed(path, text);
}

/**
 * Adds findings to a file, and makes it if need be. What it has stays in it, and a count only grows, so that the order of
 * runs does not matter: remove by hand what was mended. Safe beside other processes that do the same.
 * @returns what the file has now
 * @throws OptionsError if there is a file that is no baseline
 * @throws as node:fs does if it cannot be written
 */
export function writeBaseline(path: string, findings: readonly Finding[]): Baseline {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  return locked(`${path}.lock`, () => {
    const text = textOf(path);
    const before = text === undefined ? [] : parsed(path, text).findings;
    const baseline = mergeBaseline(before, findings, dirname(resolve(path)));
    const next = `${JSON.stringify(baseline, undefined, 2)}\n`;
    if (next !== text) {
      // A reader never sees half a file.
      const temporary = `${path}.${randomUUID()}.tmp`;
      try {
        writeFileSync(temporary, next, { flag: 'wx' });
        renameSync(temporary, path);
      } finally {
        rmSync(temporary, { force: true });
      }
    }
    return baseline;
  });
}

/**
 * The same without a file.
 * @param folder what files are named relative to
 */
export function mergeBaseline(before: readonly KnownFinding[], findings: readonly Finding[], folder: string): Baseline {
  const known = new Map(before.map(each => [each.id, each]));
  for (const finding of findings) {
    const count = Math.max(known.get(finding.id)?.count ?? 0, finding.count);
    known.set(finding.id, { ...knownOf(finding, folder), count });
  }
  return { version: 1, findings: [...known.values()].toSorted(inOrder) };
}

function knownOf(finding: Finding, folder: string): KnownFinding {
  const { id, kind, subject, site, count } = finding;
  return {
    id: id.slice(0, LONGEST),
    kind,
    sql: subject.slice(0, LONGEST),
    ...(site !== undefined && { file: fileOf(site, folder).slice(0, LONGEST) }),
    ...(site?.function !== undefined && { function: site.function.slice(0, LONGEST) }),
    count,
  };
}

/** Not by the language of the machine: the file would change from one to the next. */
function inOrder(a: KnownFinding, b: KnownFinding): number {
  const [keyA, keyB] = [a, b].map(each => [each.file ?? '', each.function ?? '', each.kind, each.id]) as [
    string[],
    string[],
  ];
  const index = keyA.findIndex((part, at) => part !== keyB[at]);
  return index === -1 ? 0 : (keyA[index] as string) < (keyB[index] as string) ? -1 : 1;
}

/** @returns `undefined` if there is no file */
function textOf(path: string): string | undefined {
  if (typeof path !== 'string' || path === '') {
    throw wrong('baseline', 'is the path of a baseline file', path, UPDATE);
  }
  try {
    const { size } = statSync(path);
    if (size > MOST_BYTES) {
      throw malformed(path, `${size} bytes`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

function parsed(path: string, text: string): Baseline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(path, 'a text that is no JSON');
  }
  if (!isObject(value) || !('findings' in value) || !Array.isArray(value.findings)) {
    throw malformed(path, shown(value));
  }
  if (!('version' in value) || value.version !== 1) {
    throw malformed(path, `version ${shown('version' in value ? value.version : undefined)}`);
  }
  return { version: 1, findings: value.findings.map((each: unknown, index) => knownFrom(each, index, path)) };
}

function knownFrom(value: unknown, index: number, path: string): KnownFinding {
  const { id, kind, sql, file, function: name, count } = (isObject(value) ? value : {}) as Partial<KnownFinding>;
  const isText = (text: unknown): text is string => typeof text === 'string' && text.length <= LONGEST;
  const isTextOrNone = (text: unknown): boolean => text === undefined || isText(text);
  if (!isText(id) || !isText(kind) || !isText(sql) || !isTextOrNone(file) || !isTextOrNone(name) || !isCount(count)) {
    throw malformed(path, `findings[${index}] with ${shown(value)}`);
  }
  return {
    id,
    kind,
    sql,
    ...(file !== undefined && { file }),
    ...(name !== undefined && { function: name }),
    count,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function malformed(path: string, what: string): Error {
  return wrong(
    'baseline',
    'has { version: 1, findings: [{ id, kind, sql, file, function, count }] } as JSON',
    `${path} has ${what}`,
    'Mend it, or remove it and write it anew.',
  );
}
