import { checkBoolean, checkText, DAY, isObject, number, oneOf, shown, whole, wrong } from '../checks.ts';
import { OptionsError } from '../errors.ts';
import type { PlanOptions } from '../options.ts';

/** `PlanOptions` with every default filled in. */
export interface ResolvedPlanOptions {
  readonly mode: 'explain' | 'analyze';
  readonly autoExplain: boolean;
  readonly generic: boolean;
  readonly perMinute: number;
  /** In ms. */
  readonly again: number;
  readonly clientUrl: string | undefined;
  /** From when on a query is slow, in ms: what `auto_explain` is told. */
  readonly slowMs: number;
}

const KNOWN = ['mode', 'autoExplain', 'generic', 'perMinute', 'again', 'clientUrl'];

/**
 * @param value what the option `plans` of `queryTiming()` was given
 * @param slowMs from when on a query is slow, in ms
 * @returns `undefined` for `false`: no plans
 * @throws OptionsError naming the first option that cannot be what was meant
 */
export function resolvePlanOptions(
  value: false | PlanOptions | undefined,
  slowMs: number,
): ResolvedPlanOptions | undefined {
  if (value === false) {
    return undefined;
  }
  if (value !== undefined && !isObject(value)) {
    throw wrong('plans', 'is false or an object of options', value, "Leave it out, or pass { mode: 'analyze' }.");
  }
  const options = value ?? {};
  const unknown = Object.keys(options).find(name => !KNOWN.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(
      'plans',
      `plans takes ${KNOWN.join(', ')}, but got: ${shown(unknown)}. Remove it, or correct its name.`,
    );
  }
  const mode = oneOf('plans.mode', options.mode, 'explain', ['explain', 'analyze']);
  const generic = checkBoolean('plans.generic', options.generic);
  if (generic && mode === 'analyze') {
    throw new OptionsError(
      'plans.generic',
      "plans.generic keeps values in the process, and mode: 'analyze' executes the statement with them, but got both. " +
        'Remove one of them.',
    );
  }
  return {
    mode,
    generic,
    autoExplain: checkBoolean('plans.autoExplain', options.autoExplain, true),
    perMinute: whole('plans.perMinute', options.perMinute, 6, 1, 600),
    again: number('plans.again', options.again, 900_000, 1_000, DAY, 'ms'),
    clientUrl: checkUrl('plans.clientUrl', options.clientUrl),
    slowMs,
  };
}

/**
 * A connection URL of PostgreSQL. The message of the error never has the URL, which may hold a password.
 * @throws OptionsError if it is none
 */
export function checkUrl(option: string, value: unknown): string | undefined {
  const url = checkText(option, value);
  if (url !== undefined && !/^postgres(?:ql)?:\/\/./i.test(url)) {
    throw new OptionsError(
      option,
      `${option} is a URL that starts with postgresql://, but got a text of ${url.length} characters that does not. ` +
        'Write postgresql://user:password@host:5432/database.',
    );
  }
  return url;
}
