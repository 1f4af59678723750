import { isObject, shown, wrong } from '../checks.ts';
import type { OptionsError } from '../errors.ts';
import { type Baseline, type KnownFinding, LONGEST } from './known-finding.ts';

/**
 * A baseline from the text of its file; what it does not know of is left out.
 * @param path for messages
 * @throws OptionsError if it is none
 */
export function parseBaseline(text: string, path: string): Baseline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(path, 'a text that is no JSON');
  }
  if (!isObject(value) || !('findings' in value) || !Array.isArray(value.findings)) {
    throw malformed(path, shown(value));
  }
  const version = 'version' in value ? value.version : undefined;
  if (version !== 1) {
    throw malformed(path, `version ${shown(version)}`);
  }
  return { version, findings: value.findings.map((each: unknown, index) => knownFrom(each, index, path)) };
}

/** What is thrown of a file that is no baseline. @param what it has instead */
export function malformed(path: string, what: string): OptionsError {
  return wrong(
    'baseline',
    'names a file with { version: 1, findings: [{ id, kind, sql, file, function, count }] } as JSON',
    `${path} with ${what}`,
    'Mend it, or remove it and write it anew.',
  );
}

function knownFrom(value: unknown, index: number, path: string): KnownFinding {
  const { id, kind, sql, file, function: name, count } = (isObject(value) ? value : {}) as Partial<KnownFinding>;
  if (!isText(id) || !isText(kind) || !isText(sql) || !isTextOrNone(file) || !isTextOrNone(name) || !isCount(count)) {
    throw malformed(path, `findings[${index}]: ${shown(value)}`);
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

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST;
}

function isTextOrNone(value: unknown): boolean {
  return value === undefined || isText(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
