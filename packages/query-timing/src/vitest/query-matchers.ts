import { checkBoolean, checkTiming, isObject, shown, wrong } from '../checks.ts';
import { QueryTimingError } from '../errors.ts';
import type { QueryTiming } from '../timing.ts';
import { checkName } from './checked-name.ts';
import { explainReads } from './explained-reads.ts';
import type { MatcherContext, MatcherResult } from './matcher-types.ts';
import { readsWhole, usesIndex } from './plan-verdicts.ts';
import { queriesOf } from './query-list.ts';
import { type QueryCountOptions, type QueryRun, recordQueries } from './query-run.ts';
import { type SnapshotMatcher, vitestSnapshots } from './snapshots.ts';
import { atMost, exactly, nPlusOne, type Verdict } from './verdicts.ts';

/** How queries are looked at. */
export interface QueryMatcherOptions extends QueryCountOptions {
  /** What `toMatchQueries()` compares with; in Jest that of `jest-snapshot`. @default that of Vitest */
  readonly toMatchSnapshot?: SnapshotMatcher;
}

/** What `expect.extend()` of Vitest and Jest takes; `QueryAssertions` says what each does. */
export type QueryMatchers = {
  readonly toRunQueries: Matcher<[expected: number]>;
  readonly toRunAtMost: Matcher<[expected: number]>;
  readonly toMatchQueries: Matcher<[hint?: string]>;
  readonly toHaveNPlusOne: Matcher<[]>;
  readonly toUseIndex: Matcher<[name: string]>;
  readonly toSeqScan: Matcher<[table: string]>;
};

type Matcher<Expected extends readonly unknown[]> = (
  this: MatcherContext,
  received: unknown,
  ...expected: Expected
) => Promise<MatcherResult>;

/**
 * Matchers for the queries that a function runs.
 *
 * ```ts
 * expect.extend(queryMatchers(timing));
 *
 * await expect(() => listBooks(orm.em.fork())).toRunQueries(2);
 * await expect(() => listBooks(orm.em.fork())).not.toHaveNPlusOne();
 * ```
 *
 * A failure prints what was run, how often, and where it was called: of every query with `callSites: { sample: 1 }`, else of
 * those that were repeated or slow.
 * @throws {OptionsError}
 */
export function queryMatchers(timing: QueryTiming, options: QueryMatcherOptions = {}): QueryMatchers {
  checkTiming('queryMatchers()', timing, ['run', 'scope', 'subscribe', 'on']);
  checkOptions(options);
  const root = process.cwd();
  const recorded = (context: MatcherContext, call: string, received: unknown): Promise<QueryRun> =>
    recordQueries(timing, checkedFunction(call, received), { ...options, name: nameOf(context) });
  const explained = (context: MatcherContext, call: string, received: unknown): ReturnType<typeof explainReads> =>
    explainReads(timing, checkedFunction(call, received), { ...options, name: nameOf(context) });
  return {
    async toRunQueries(received, expected) {
      checkCount('toRunQueries(n)', expected);
      return resultOf(exactly(await recorded(this, 'toRunQueries(n)', received), expected, root), this);
    },
    async toRunAtMost(received, expected) {
      checkCount('toRunAtMost(n)', expected);
      return resultOf(atMost(await recorded(this, 'toRunAtMost(n)', received), expected, root), this);
    },
    async toMatchQueries(received, hint) {
      const matcher = options.toMatchSnapshot ?? (await vitestSnapshots());
      const run = await recorded(this, 'toMatchQueries()', received);
      // Jest counts its arguments.
      return await (hint === undefined ? matcher.call(this, queriesOf(run)) : matcher.call(this, queriesOf(run), hint));
    },
    async toHaveNPlusOne(received) {
      return resultOf(nPlusOne(await recorded(this, 'toHaveNPlusOne()', received), root), this);
    },
    async toUseIndex(received, name) {
      checkName('toUseIndex(name)', name);
      const { reads, indexes } = await explained(this, 'toUseIndex(name)', received);
      return resultOf(usesIndex(reads, name, indexes), this);
    },
    async toSeqScan(received, table) {
      checkName('toSeqScan(table)', table);
      const { reads } = await explained(this, 'toSeqScan(table)', received);
      return resultOf(readsWhole(reads, table), this);
    },
  };
}

const KNOWN: readonly string[] = ['transactions', 'toMatchSnapshot'] satisfies (keyof QueryMatcherOptions)[];

function checkOptions(options: QueryMatcherOptions): void {
  const unknown = isObject(options) ? Object.keys(options).find(name => !KNOWN.includes(name)) : undefined;
  if (!isObject(options) || unknown !== undefined) {
    throw wrong(
      'options',
      `of queryMatchers() is an object with ${KNOWN.join(', ')}`,
      unknown ?? options,
      'Leave it out for the defaults.',
    );
  }
  checkBoolean('transactions', options.transactions);
  const { toMatchSnapshot } = options;
  if (toMatchSnapshot !== undefined && typeof toMatchSnapshot !== 'function') {
    throw wrong('toMatchSnapshot', 'is a matcher', toMatchSnapshot, 'Leave it out for that of Vitest.');
  }
}

/** A scope is called like the test that it is made for. */
function nameOf({ currentTestName }: MatcherContext): string {
  return currentTestName ?? 'a test';
}

function resultOf({ pass, failed, passed }: Verdict, { isNot = false }: MatcherContext): MatcherResult {
  return { pass, message: isNot ? passed : failed };
}

function checkedFunction(call: string, received: unknown): () => unknown {
  if (typeof received !== 'function') {
    throw new QueryTimingError(
      'ARGUMENT',
      `${call} counts the queries of a function, but expect() got: ${shown(received)}. Write expect(() => …).`,
    );
  }
  return received as () => unknown;
}

function checkCount(call: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new QueryTimingError(
      'ARGUMENT',
      `${call} takes a number of queries, a whole one from 0, but got: ${shown(value)}. Write how many there are to be.`,
    );
  }
}
