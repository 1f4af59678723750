import { QueryTimingError } from '../errors.ts';
import type { MatcherResult } from './matcher-types.ts';

/**
 * Compares a value with the snapshot of a test, called with what the runner gives to matchers as `this`: `toMatchSnapshot`
 * of `jest-snapshot`, or one like it.
 */
export type SnapshotMatcher = (
  this: unknown,
  received: unknown,
  hint?: string,
) => MatcherResult | Promise<MatcherResult>;

/** Vitest, as far as it is asked for; `Snapshots` since 5. */
interface Vitest {
  readonly Snapshots?: { readonly toMatchSnapshot: SnapshotMatcher };
  readonly expect: (value: unknown) => { toMatchSnapshot(hint?: string): void };
}

/**
 * That of Vitest, in which this is running.
 * @throws QueryTimingError where it is not
 */
export async function vitestSnapshots(): Promise<SnapshotMatcher> {
  let vitest: Vitest;
  try {
    // Only here: the rest of this module works in every runner.
    vitest = (await import('vitest')) as unknown as Vitest;
  } catch {
    throw new QueryTimingError(
      'ARGUMENT',
      'toMatchQueries() takes the snapshots of Vitest, which is not running. In Jest call queryMatchers(timing, { ' +
        'toMatchSnapshot }) with that of jest-snapshot; elsewhere compare queriesOf(await recordQueries(timing, fn)).',
    );
  }
  const { Snapshots, expect } = vitest;
  return (
    Snapshots?.toMatchSnapshot ??
    ((received, hint) => {
      expect(received).toMatchSnapshot(hint);
      return { pass: true, message: () => '' };
    })
  );
}
