import { AssertionError } from 'node:assert';
import { checkBoolean, isObject, whole, wrong } from '../checks.ts';
import { type QueryCountOptions, recordQueries, type RunTiming } from './query-run.ts';
import { atMost, exactly, nPlusOne } from './verdicts.ts';

/** What is expected of the queries of a function. */
export interface ExpectedQueries extends QueryCountOptions {
  readonly exactly?: number;
  readonly atMost?: number;
  readonly noNPlusOne?: boolean;
}

const KNOWN: readonly string[] = [
  'exactly',
  'atMost',
  'noNPlusOne',
  'transactions',
] satisfies (keyof ExpectedQueries)[];

/**
 * The same as the matchers, for `node:test` and everything else without `expect`.
 *
 * ```ts
 * const books = await assertQueries(timing, () => listBooks(orm.em.fork()), { exactly: 2, noNPlusOne: true });
 * ```
 *
 * @returns what `fn` returns
 * @throws what `fn` throws; else an AssertionError of `node:assert`, whose message has what was run, how often, and where it
 * was called
 */
export async function assertQueries<T>(timing: RunTiming, fn: () => T, expected: ExpectedQueries): Promise<Awaited<T>> {
  const given = checked(expected);
  const run = await recordQueries(timing, fn, expected);
  const root = process.cwd();
  if (given.exactly !== undefined) {
    fail(exactly(run, given.exactly, root), run.count, given.exactly);
  }
  if (given.atMost !== undefined) {
    fail(atMost(run, given.atMost, root), run.count, given.atMost);
  }
  if (given.noNPlusOne) {
    const { pass, passed } = nPlusOne(run, root);
    fail({ pass: !pass, failed: passed }, run.findings.length, 0);
  }
  return run.result;
}

function fail(
  verdict: { readonly pass: boolean; readonly failed: () => string },
  actual: number,
  expected: number,
): void {
  if (!verdict.pass) {
    throw new AssertionError({ message: verdict.failed(), actual, expected, operator: 'assertQueries' });
  }
}

function checked(expected: ExpectedQueries): {
  readonly exactly: number | undefined;
  readonly atMost: number | undefined;
  readonly noNPlusOne: boolean;
} {
  const unknown = isObject(expected) ? Object.keys(expected).find(name => !KNOWN.includes(name)) : undefined;
  if (!isObject(expected) || unknown !== undefined) {
    throw wrong('expected', `is an object with ${KNOWN.join(', ')}`, unknown ?? expected, 'Write { atMost: 5 }.');
  }
  const noNPlusOne = checkBoolean('noNPlusOne', expected.noNPlusOne);
  checkBoolean('transactions', expected.transactions);
  if (expected.exactly === undefined && expected.atMost === undefined && !noNPlusOne) {
    throw wrong(
      'expected',
      'says what is expected',
      expected,
      'Write { exactly: 2 }, { atMost: 5 } or { noNPlusOne: true }.',
    );
  }
  const count = (name: 'exactly' | 'atMost'): number | undefined =>
    expected[name] === undefined ? undefined : whole(name, expected[name], 0, 0, Number.MAX_SAFE_INTEGER);
  return { exactly: count('exactly'), atMost: count('atMost'), noNPlusOne };
}
