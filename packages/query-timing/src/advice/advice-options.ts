import { isObject, shown, whole, wrong } from '../checks.ts';
import { OptionsError } from '../errors.ts';
import type { AdviceOptions } from '../options.ts';
import { checkUrl } from '../plans/plan-options.ts';

/** `AdviceOptions` with every default filled in. */
export interface ResolvedAdviceOptions {
  /** Of a database that may be thrown away. */
  readonly verifyUrl: string | undefined;
  readonly minRows: number;
}

const KNOWN = ['verify', 'minRows'];

/**
 * @param value what the option `advice` of `queryTiming()` was given
 * @returns `undefined` for `false`: none
 * @throws OptionsError naming the first option that cannot be what was meant
 */
export function resolveAdviceOptions(value: false | AdviceOptions | undefined): ResolvedAdviceOptions | undefined {
  if (value === false) {
    return undefined;
  }
  if (value !== undefined && !isObject(value)) {
    throw wrong('advice', 'is false or an object of options', value, 'Leave it out, or pass { minRows: 1000 }.');
  }
  const options = value ?? {};
  const unknown = Object.keys(options).find(name => !KNOWN.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(
      'advice',
      `advice takes ${KNOWN.join(', ')}, but got: ${shown(unknown)}. Remove it, or correct its name.`,
    );
  }
  return {
    verifyUrl: checkVerify(options.verify),
    minRows: whole('advice.minRows', options.minRows, 500, 0, 1_000_000_000),
  };
}

function checkVerify(value: unknown): string | undefined {
  if (value === undefined || value === 'hypopg') {
    return undefined;
  }
  const url =
    isObject(value) && 'clientUrl' in value ? checkUrl('advice.verify.clientUrl', value.clientUrl) : undefined;
  if (url === undefined) {
    throw wrong(
      'advice.verify',
      "is 'hypopg' or { clientUrl } of a database that may be thrown away",
      // A URL by itself may have a password.
      typeof value === 'string' ? { text: value } : value,
      "Leave it out for 'hypopg'.",
    );
  }
  return url;
}
