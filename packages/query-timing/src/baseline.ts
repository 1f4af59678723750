import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { wrong } from './checks.ts';
import type { Baseline } from './ci/known-finding.ts';
import { locked } from './ci/locked.ts';
import { mergeBaseline } from './ci/merge-baseline.ts';
import { malformed, parseBaseline } from './ci/parse-baseline.ts';
import type { Finding } from './finding.ts';

export type { Baseline, KnownFinding } from './ci/known-finding.ts';

/** What is longer was not written by this package. */
const MOST_BYTES = 16_000_000;
const HOW = 'Write it with writeBaseline(path, findings), or run the tests once with MIKROKIT_UPDATE_BASELINE=1.';

/**
 * Reads a file that `writeBaseline()` has written.
 * @throws OptionsError if there is none, or it is no baseline
 */
export function readBaseline(path: string): Baseline {
  const text = textOf(path);
  if (text === undefined) {
    throw wrong('baseline', 'is the path of a baseline file', path, `There is no such file. ${HOW}`);
  }
  return parseBaseline(text, path);
}

/**
 * Adds findings to a baseline, and makes it if there is none. What it has stays in it, and counts only grow: what was mended
 * is removed by hand. Other processes may do the same at the same time.
 * @returns what the file has now
 * @throws OptionsError if there is a file that is no baseline; as node:fs does if it cannot be written
 */
export function writeBaseline(path: string, findings: readonly Finding[]): Baseline {
  const folder = dirname(resolve(checkedPath(path)));
  mkdirSync(folder, { recursive: true });
  return locked(`${path}.lock`, () => {
    const text = textOf(path);
    const before = text === undefined ? [] : parseBaseline(text, path).findings;
    const baseline = mergeBaseline(before, findings, folder);
    const next = `${JSON.stringify(baseline, undefined, 2)}\n`;
    if (next !== text) {
      replace(path, next);
    }
    return baseline;
  });
}

/** Who reads it meanwhile sees all of the old or all of the new. */
function replace(path: string, text: string): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** @returns `undefined` if there is no file */
function textOf(path: string): string | undefined {
  try {
    const { size } = statSync(checkedPath(path));
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

function checkedPath(path: string): string {
  if (typeof path !== 'string' || path === '') {
    throw wrong('baseline', 'is the path of a baseline file', path, HOW);
  }
  return path;
}
