/**
 * How many of something passed and failed.
 * @typedef {{ passed: number, failed: number }} Count
 */

/**
 * The line every runner of this repository ends with.
 * @param {Count} count
 */
export function countLine({ passed, failed }) {
  return `${passed} passed, ${failed} failed`;
}

/**
 * Reads a {@link countLine} back from the end of an output; `undefined` when the output ends with something else.
 * @param {string} output
 * @returns {Count | undefined}
 */
export function countIn(output) {
  const match = /^(\d+) passed, (\d+) failed$/.exec(output.trimEnd().split('\n').at(-1) ?? '');
  return match ? { passed: Number(match[1]), failed: Number(match[2]) } : undefined;
}

/**
 * What a stage of the run counts for, given how it ended. A stage that failed without naming a failure (it crashed before
 * or after counting) has one failure: silence is never success.
 * @param {number} exitCode
 * @param {Count | undefined} counted what its own report says
 * @returns {Count}
 */
export function countStage(exitCode, counted) {
  if (exitCode === 0) {
    return counted ?? { passed: 1, failed: 0 };
  }
  return { passed: counted?.passed ?? 0, failed: counted?.failed || 1 };
}

/**
 * The sum of the stages.
 * @param {readonly Count[]} counts
 * @returns {Count}
 */
export function sumCounts(counts) {
  return counts.reduce((sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }), {
    passed: 0,
    failed: 0,
  });
}

/**
 * The tests counted in a report of vitest's JSON reporter. A test file that could not be loaded has no tests to count:
 * each such file is one failure.
 * @param {{ numPassedTests: number, numFailedTests: number, testResults: readonly { status: string, assertionResults: readonly { status: string }[] }[] }} report
 * @returns {Count}
 */
export function countTests({ numPassedTests, numFailedTests, testResults }) {
  const brokenFiles = testResults.filter(
    file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'),
  );
  return { passed: numPassedTests, failed: numFailedTests + brokenFiles.length };
}
