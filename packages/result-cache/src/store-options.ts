import { OptionsError } from './errors.ts';
import { shown } from './policy.ts';

/*
 * What the factories of stores check alike. Pure.
 */

/** @throws {OptionsError} for a name that is not in `known` */
export function checkNames(factory: string, within: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new OptionsError(
        `${within}${name}`,
        `${factory} has no option '${within}${name}'. Its options are: ${known.map(each => within + each).join(', ')}.`,
      );
    }
  }
}

/** @returns `value` or, if it is undefined, `byDefault`. @throws {OptionsError} unless it is a whole number of bytes, at least 1 */
export function checkedBytes(subject: string, option: string, value: unknown, byDefault: number): number {
  if (value === undefined) {
    return byDefault;
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new OptionsError(
      option,
      `${subject} must be a whole number of bytes, at least 1, but got: ${shown(value)}. Leave it out for ${byDefault}.`,
    );
  }
  return value;
}

/** @throws {OptionsError} unless `options` is an object that is no array */
export function checkObject(
  subject: string,
  option: string,
  options: unknown,
  remedy: string,
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    // A text may be a URL with a password in it.
    const got = typeof options === 'string' ? 'a string' : shown(options);
    throw new OptionsError(option, `${subject} takes an object, but got: ${got}. ${remedy}`);
  }
}
