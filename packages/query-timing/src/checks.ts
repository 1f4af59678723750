import { OptionsError } from './errors.ts';

/* What options are checked with. Each throws an OptionsError with the contract, the value received and the remedy. */

/** The longest time that makes sense, in ms. */
export const DAY = 86_400_000;

export function checkText(option: string, value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) {
    return value as string | undefined;
  }
  throw wrong(option, 'is a text that is not empty', value, 'Leave it out if there is none.');
}

export function checkBoolean(option: string, value: unknown, fallback = false): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    throw wrong(option, 'is true or false', value, `Leave it out for ${fallback}.`);
  }
  return value ?? fallback;
}

export function oneOf<T extends string>(option: string, value: unknown, fallback: T, allowed: readonly T[]): T {
  if (value === undefined) {
    return fallback;
  }
  if (!allowed.includes(value as T)) {
    throw wrong(
      option,
      `is one of ${allowed.map(each => `'${each}'`).join(', ')}`,
      value,
      `Leave it out for '${fallback}'.`,
    );
  }
  return value as T;
}

export function whole(option: string, value: unknown, fallback: number, least: number, most: number): number {
  const result = number(option, value, fallback, least, most, '');
  if (!Number.isInteger(result)) {
    throw wrong(option, `is a whole number from ${least} to ${most}`, value, `Leave it out for ${fallback}.`);
  }
  return result;
}

export function number(
  option: string,
  value: unknown,
  fallback: number,
  least: number,
  most: number,
  unit: string,
): number {
  if (value === undefined) {
    return fallback;
  }
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw wrong(
      option,
      `is a number from ${least} to ${most}${unit && ` (${unit})`}`,
      value,
      `Leave it out for ${fallback}.`,
    );
  }
  return value;
}

/** What is given as a timing has what is used of it. @param caller the public function, for messages */
export function checkTiming(caller: string, timing: unknown, methods: readonly string[]): void {
  const missing = methods.find(
    name => typeof (timing as Record<string, unknown> | null | undefined)?.[name] !== 'function',
  );
  if (missing !== undefined) {
    throw wrong('timing', `of ${caller} has the method ${missing}()`, timing, 'Pass what queryTiming() returned.');
  }
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function wrong(option: string, contract: string, value: unknown, remedy: string): OptionsError {
  return new OptionsError(option, `${option} ${contract}, but got: ${shown(value)}. ${remedy}`);
}

/** A value for a message: short, on one line, and never what an object holds. */
export function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'object' && value !== null
        ? Array.isArray(value)
          ? `an array of ${value.length}`
          : `an object with ${Object.keys(value).slice(0, 5).join(', ') || 'nothing in it'}`
        : typeof value === 'function'
          ? 'a function'
          : String(value);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
