/** `npm run test:long`: as long and as often as the issue says, and MikroORM alone beside it; else a few seconds of each. */
export const LONG: boolean = process.env['MIKROKIT_LONG'] === '1';

/** The same scenarios with MikroORM alone. */
export const PLAIN: boolean = LONG || process.env['MIKROKIT_PLAIN'] === '1';

export function inForm<T>(short: T, long: T): T {
  return LONG ? long : short;
}
