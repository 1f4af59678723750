import { AssertionError } from 'node:assert';
import { checkBoolean, isObject, whole, wrong } from '../checks.ts';
import { checkName } from './checked-name.ts';
import { explainReads } from './explained-reads.ts';
import { readsWhole, usesIndex } from './plan-verdicts.ts';
import { type QueryCountOptions, type QueryRun, recordQueries, type RunTiming } from './query-run.ts';
import { atMost, exactly, nPlusOne } from './verdicts.ts';

/** What is expected of the queries of a function. */
export interface ExpectedQueries extends QueryCountOptions {
  readonly exactly?: number;
  readonly atMost?: number;
  readonly noNPlusOne?: boolean;
  /** An index that one of the reads can use, as `toUseIndex(name)`: explained on a connection of its own. */
  readonly usesIndex?: string;
  /** A table that no read has to read all of, as `not.toSeqScan(table)`. */
  readonly noSeqScan?: string;
}

const KNOWN: readonly string[] = [
  'exactly',
  'atMost',
  'noNPlusOne',
  'usesIndex',
  'noSeqScan',
  'transactions',
] satisfies (keyof ExpectedQueries)[];

/**
 * The same as the matchers, for `node:test` and everything else without `expect`.
 *
 * ```ts
 * const books = await assertQueries(timing, () => listBooks(orm.em.fork()), { exactly: 2, noNPlusOne: true });
 * await assertQueries(timing, () => booksOf(author), { usesIndex: 'book_author_id_index', noSeqScan: 'book' });
 * ```
 *
 * @returns what `fn` returns
 * @throws what `fn` throws; an AssertionError of `node:assert`, whose message has what was run, how often, and where it was
 * called; a QueryTimingError for plans that cannot be looked at: no read, no such index or table, one that cannot be explained
 */
export async function assertQueries<T>(timing: RunTiming, fn: () => T, expected: ExpectedQueries): Promise<Awaited<T>> {
  const given = checked(expected);
  const countsOf = (run: QueryRun): void => checkCounts(run, given);
  if (given.usesIndex === undefined && given.noSeqScan === undefined) {
    const run = await recordQueries(timing, fn, expected);
    countsOf(run);
    return run.result;
  }
  const { run, reads, indexes } = await explainReads(timing, fn, expected, countsOf);
  if (given.usesIndex !== undefined) {
    fail(usesIndex(reads, given.usesIndex, indexes, 'usesIndex'), undefined, given.usesIndex);
  }
  if (given.noSeqScan !== undefined) {
    const { pass, passed } = readsWhole(reads, given.noSeqScan, 'noSeqScan');
    fail({ pass: !pass, failed: passed }, given.noSeqScan, undefined);
  }
  return run.result;
}

function checkCounts(run: QueryRun, given: Checked): void {
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
}

function fail(
  verdict: { readonly pass: boolean; readonly failed: () => string },
  actual: unknown,
  expected: unknown,
): void {
  if (!verdict.pass) {
    throw new AssertionError({ message: verdict.failed(), actual, expected, operator: 'assertQueries' });
  }
}

interface Checked {
  readonly exactly: number | undefined;
  readonly atMost: number | undefined;
  readonly noNPlusOne: boolean;
  readonly usesIndex: string | undefined;
  readonly noSeqScan: string | undefined;
}

function checked(expected: ExpectedQueries): Checked {
  const unknown = isObject(expected) ? Object.keys(expected).find(name => !KNOWN.includes(name)) : undefined;
  if (!isObject(expected) || unknown !== undefined) {
    throw wrong('expected', `is an object with ${KNOWN.join(', ')}`, unknown ?? expected, 'Write { atMost: 5 }.');
  }
  checkBoolean('transactions', expected.transactions);
  const count = (name: 'exactly' | 'atMost'): number | undefined =>
    expected[name] === undefined ? undefined : whole(name, expected[name], 0, 0, Number.MAX_SAFE_INTEGER);
  const name = (option: 'usesIndex' | 'noSeqScan'): string | undefined => {
    if (expected[option] !== undefined) {
      checkName(option, expected[option]);
    }
    return expected[option];
  };
  const given = {
    exactly: count('exactly'),
    atMost: count('atMost'),
    noNPlusOne: checkBoolean('noNPlusOne', expected.noNPlusOne),
    usesIndex: name('usesIndex'),
    noSeqScan: name('noSeqScan'),
  };
  if (Object.values(given).every(value => value === undefined || value === false)) {
    throw wrong(
      'expected',
      'says what is expected',
      expected,
      'Write { exactly: 2 }, { atMost: 5 }, { noNPlusOne: true }, { usesIndex: name } or { noSeqScan: table }.',
    );
  }
  return given;
}
