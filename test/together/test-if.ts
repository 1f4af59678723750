import { test } from 'vitest';

/** `test`, where it applies; elsewhere there is no such case, rather than one that is skipped. */
export function testIf(applies: boolean): typeof test {
  return applies ? test : ((() => undefined) as unknown as typeof test);
}
