import { type ResolvedAdviceOptions, resolveAdviceOptions } from './advice/advice-options.ts';
import { readBaseline } from './baseline.ts';
import { checkBoolean, DAY, isObject, number, oneOf, shown, whole, wrong } from './checks.ts';
import { type CommentSettings, commentSettings } from './comments/comment-settings.ts';
import { OptionsError } from './errors.ts';
import type { AnalysisSettings } from './findings/seen.ts';
import type { QueryTimingOptions } from './options.ts';
import type { ParameterMode } from './parameters.ts';
import { type ResolvedPlanOptions, resolvePlanOptions } from './plans/plan-options.ts';
import { SlowLimits } from './slow-limits.ts';
import { type ResolvedTerminalOptions, resolveTerminalOptions } from './terminal/terminal-options.ts';

/** The options with every default filled in. */
export interface ResolvedOptions {
  readonly environment: 'development' | 'test' | 'production';
  readonly slow: SlowLimits;
  /** `undefined`: not looked for. */
  readonly nPlusOne: AnalysisSettings | undefined;
  readonly parameters: ParameterMode;
  readonly secretColumns: readonly (string | RegExp)[];
  readonly callSites: { readonly sample: number; readonly ignore: readonly (string | RegExp)[] } | undefined;
  readonly plans: ResolvedPlanOptions | undefined;
  readonly advice: ResolvedAdviceOptions | undefined;
  /** In ms. */
  readonly idleInTransaction: number;
  readonly longTransaction: number;
  readonly poolWait: number;
  readonly comments: CommentSettings;
  readonly terminal: ResolvedTerminalOptions | undefined;
  readonly baseline: ReadonlySet<string>;
}

const KNOWN: readonly string[] = [
  'environment',
  'slow',
  'nPlusOne',
  'parameters',
  'secretColumns',
  'callSites',
  'plans',
  'advice',
  'idleInTransaction',
  'longTransaction',
  'poolWait',
  'comments',
  'terminal',
  'baseline',
] satisfies (keyof QueryTimingOptions)[];

/** Fills in defaults and validates. @throws {OptionsError} for an unknown name or a wrong value */
export function resolveOptions(options: QueryTimingOptions = {}): ResolvedOptions {
  if (!isObject(options)) {
    throw new OptionsError(
      'options',
      `queryTiming(options) takes an object, but got: ${shown(options)}. Remove the argument for the defaults.`,
    );
  }
  const unknown = Object.keys(options).find(name => !KNOWN.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(
      unknown.slice(0, 100),
      `queryTiming() has no option ${shown(unknown)}. Its options are: ${KNOWN.join(', ')}.`,
    );
  }
  const environment = oneOf('environment', options.environment, environmentOf(process.env['NODE_ENV']), [
    'development',
    'test',
    'production',
  ]);
  const slow = new SlowLimits(options.slow);
  return {
    environment,
    slow,
    nPlusOne: resolveNPlusOne(options.nPlusOne, environment),
    parameters: oneOf('parameters', options.parameters, 'types', ['off', 'types', 'hashed', 'full']),
    secretColumns: patterns('secretColumns', options.secretColumns),
    callSites: resolveCallSites(options.callSites, environment),
    plans: resolvePlanOptions(options.plans, slow.overall),
    advice: resolveAdviceOptions(options.advice),
    idleInTransaction: number('idleInTransaction', options.idleInTransaction, 100, 1, DAY, 'ms'),
    longTransaction: number('longTransaction', options.longTransaction, 1_000, 1, DAY, 'ms'),
    poolWait: number('poolWait', options.poolWait, 50, 1, DAY, 'ms'),
    comments: commentSettings(options.comments),
    terminal: resolveTerminalOptions(options.terminal, environment),
    baseline: resolveBaseline(options.baseline),
  };
}

function environmentOf(name: string | undefined): 'development' | 'test' | 'production' {
  return name === 'production' || name === 'test' ? name : 'development';
}

function resolveNPlusOne(value: unknown, environment: ResolvedOptions['environment']): AnalysisSettings | undefined {
  if (value === false) {
    return undefined;
  }
  const { threshold, minTime, ignore, proof } = group('nPlusOne', value, ['threshold', 'minTime', 'ignore', 'proof']);
  const isProduction = environment === 'production';
  return {
    threshold: whole('nPlusOne.threshold', threshold, isProduction ? 5 : 3, 2, 1_000_000),
    minTime: number('nPlusOne.minTime', minTime, isProduction ? 50 : 0, 0, DAY, 'ms'),
    ignore: patterns('nPlusOne.ignore', ignore),
    proof: checkBoolean('nPlusOne.proof', proof, true),
    eagerSites: !isProduction,
  };
}

function resolveCallSites(value: unknown, environment: ResolvedOptions['environment']): ResolvedOptions['callSites'] {
  if (value === false) {
    return undefined;
  }
  const { sample, ignore } = group('callSites', value, ['sample', 'ignore']);
  return {
    // A test that fails shows where each of its queries was made.
    sample: whole('callSites.sample', sample, environment === 'test' ? 1 : 256, 0, 1_000_000_000),
    ignore: patterns('callSites.ignore', ignore),
  };
}

function resolveBaseline(value: unknown): ReadonlySet<string> {
  if (value === undefined) {
    return new Set();
  }
  if (typeof value === 'string' && value !== '') {
    return new Set(readBaseline(value).findings.map(({ id }) => id));
  }
  if (!Array.isArray(value) || !value.every(id => typeof id === 'string')) {
    throw wrong(
      'baseline',
      'is the path of a baseline file, or an array of ids',
      value,
      'Leave it out if there is none.',
    );
  }
  return new Set(value as string[]);
}

/** The options of a group. */
function group<Name extends string>(
  option: string,
  value: unknown,
  names: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (value === undefined) {
    return {};
  }
  if (!isObject(value)) {
    throw wrong(option, `is false, or an object with ${names.join(', ')}`, value, 'Leave it out for the defaults.');
  }
  const unknown = Object.keys(value).find(name => !names.includes(name as Name));
  if (unknown !== undefined) {
    throw wrong(option, `has ${names.join(', ')}`, value, `Remove ${shown(unknown)}.`);
  }
  return value;
}

function patterns(option: string, value: unknown): readonly (string | RegExp)[] {
  if (value === undefined) {
    return [];
  }
  if (
    !Array.isArray(value) ||
    !value.every(each => (typeof each === 'string' && each !== '') || each instanceof RegExp)
  ) {
    throw wrong(option, 'is an array of texts and patterns', value, 'Leave it out if there are none.');
  }
  // A pattern with a memory would match every second time.
  return value.map(each =>
    each instanceof RegExp && (each.global || each.sticky)
      ? new RegExp(each.source, each.flags.replaceAll(/[gy]/g, ''))
      : each,
  ) as (string | RegExp)[];
}
