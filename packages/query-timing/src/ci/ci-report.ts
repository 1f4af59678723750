import { appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readBaseline, writeBaseline } from '../baseline.ts';
import { checkBoolean, checkText, isObject, shown, wrong } from '../checks.ts';
import { OptionsError } from '../errors.ts';
import type { Finding } from '../finding.ts';
import { worstFirst } from '../terminal/finding-lines.ts';
import { annotation } from './annotation.ts';
import { jobSummary } from './job-summary.ts';

/** Where findings go, and what is known already. */
export interface CiReportOptions {
  /** A file that `writeBaseline()` or an update has written: what is in it is not told of. @default none */
  readonly baseline?: string | undefined;
  /** Adds what was found to the baseline instead of telling of it. @default whether MIKROKIT_UPDATE_BASELINE is 1 */
  readonly update?: boolean | undefined;
  /** A line for each on the standard output that GitHub shows beside the code. @default whether GITHUB_ACTIONS is true */
  readonly annotations?: boolean | undefined;
  /** The file that a summary in Markdown is added to; `false`: none. @default GITHUB_STEP_SUMMARY */
  readonly summary?: string | false | undefined;
  /** Whether the process ends with exit code 1 if there is something new. @default false */
  readonly fail?: boolean | undefined;
  /** The folder of the repository, for the paths of files. @default GITHUB_WORKSPACE, else the working directory */
  readonly root?: string | undefined;
}

/** What was found. */
export interface CiReport {
  /** The worst first; of an update none. */
  readonly fresh: readonly Finding[];
  /** Those of the baseline. */
  readonly known: readonly Finding[];
}

const KNOWN: readonly string[] = [
  'baseline',
  'update',
  'annotations',
  'summary',
  'fail',
  'root',
] satisfies (keyof CiReportOptions)[];

/** GitHub shows at most ten of a kind for each step, and fifty for each job. */
const MOST_ANNOTATIONS = 50;

/**
 * Tells a CI service what the queries of a test run have shown, in whatever test runner: annotations, a summary, and a
 * baseline of what is known. Nothing fails for that unless `fail` says so; how often something was found is recorded and
 * never enforced.
 *
 * ```ts
 * afterAll(() => ciReport(timing.report().findings, { baseline: 'queries.json' }));
 * ```
 *
 * @throws OptionsError for a baseline that is not there or none, and for wrong options
 */
export function ciReport(findings: readonly Finding[], options: CiReportOptions = {}): CiReport {
  const { baseline, update, annotations, summary, fail, root } = resolved(findings, options);
  if (update && baseline !== undefined) {
    writeBaseline(baseline, findings);
    return { fresh: [], known: findings };
  }
  const ids = new Set(baseline === undefined ? [] : readBaseline(baseline).findings.map(({ id }) => id));
  const fresh = worstFirst(findings.filter(({ id }) => !ids.has(id)));
  const known = findings.filter(({ id }) => ids.has(id));
  if (annotations) {
    for (const finding of fresh.slice(0, MOST_ANNOTATIONS)) {
      process.stdout.write(`${annotation(finding, root)}\n`);
    }
  }
  if (summary !== undefined && findings.length > 0) {
    appendFileSync(summary, `${jobSummary(fresh, known.length, root)}\n`);
  }
  if (fail && fresh.length > 0) {
    process.exitCode = 1;
  }
  return { fresh, known };
}

interface ResolvedCiReportOptions {
  readonly baseline: string | undefined;
  readonly update: boolean;
  readonly annotations: boolean;
  readonly summary: string | undefined;
  readonly fail: boolean;
  readonly root: string;
}

function resolved(findings: readonly Finding[], options: CiReportOptions): ResolvedCiReportOptions {
  if (!Array.isArray(findings)) {
    throw wrong('findings', 'is an array of findings', findings, 'Give it timing.report().findings.');
  }
  const unknown = isObject(options) ? Object.keys(options).find(name => !KNOWN.includes(name)) : shown(options);
  if (unknown !== undefined) {
    throw new OptionsError(
      unknown.slice(0, 100),
      `ciReport() has no option ${shown(unknown)}. Its options are: ${KNOWN.join(', ')}.`,
    );
  }
  const { env } = process;
  const summary = options.summary ?? (env['GITHUB_STEP_SUMMARY'] || false);
  return {
    baseline: checkText('baseline', options.baseline),
    update: checkBoolean('update', options.update ?? env['MIKROKIT_UPDATE_BASELINE'] === '1'),
    annotations: checkBoolean('annotations', options.annotations ?? env['GITHUB_ACTIONS'] === 'true'),
    summary: summary === false ? undefined : checkText('summary', summary),
    fail: checkBoolean('fail', options.fail),
    root: resolve(checkText('root', options.root) ?? env['GITHUB_WORKSPACE'] ?? ''),
  };
}
