/** What a matcher answers, in Vitest and in Jest. */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** What a runner gives to a matcher as `this`, as far as it is used. */
export interface MatcherContext {
  /** Set with `.not`. */
  readonly isNot?: boolean;
  readonly currentTestName?: string | undefined;
}

/**
 * What `expect(fn)` can do once `expect.extend(queryMatchers(timing))` was called; each with `.not`, too. All of them run the
 * function and are to be awaited; if it throws, that is what they throw.
 *
 * Vitest has them in its types as soon as this module is imported anywhere. For Jest:
 *
 * ```ts
 * declare module 'expect' {
 *   interface Matchers<R> extends QueryAssertions {}
 * }
 * ```
 */
export interface QueryAssertions {
  /** As many queries as this. */
  toRunQueries(expected: number): Promise<void>;
  /** No more queries than this. */
  toRunAtMost(expected: number): Promise<void>;
  /** The shapes of its queries, and how often each is run, are those of the snapshot. */
  toMatchQueries(hint?: string): Promise<void>;
  /**
   * With `.not`: no query is repeated for each row of another. From how many repeats on, the option `nPlusOne` of
   * `queryTiming()` says; with `nPlusOne: false` nothing is found.
   */
  toHaveNPlusOne(): Promise<void>;
  /**
   * One of its reads can use this index, were its tables as large as they will be: each is explained with
   * `enable_seqscan = off` on a connection of its own. What it has not committed is not seen there.
   */
  toUseIndex(name: string): Promise<void>;
  /** With `.not`: each of its reads of this table is served by an index. Explained like `toUseIndex()`. */
  toSeqScan(table: string): Promise<void>;
}
