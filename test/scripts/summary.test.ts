import { describe, expect, it } from 'vitest';
import { countIn, countLine, countStage, countTests, sumCounts } from '../../scripts/summary.mjs';

describe('the last line', () => {
  it('is read back from the end of an output, and only from there', () => {
    expect(countLine({ passed: 12, failed: 1 })).toBe('12 passed, 1 failed');
    expect(countIn('ok one\n12 passed, 1 failed\n')).toEqual({ passed: 12, failed: 1 });
    expect(countIn('12 passed, 1 failed\nSegmentation fault\n')).toBeUndefined();
    expect(countIn('')).toBeUndefined();
  });

  it('is the sum of the stages', () => {
    expect(
      sumCounts([
        { passed: 3, failed: 0 },
        { passed: 4, failed: 2 },
      ]),
    ).toEqual({ passed: 7, failed: 2 });
    expect(sumCounts([])).toEqual({ passed: 0, failed: 0 });
  });
});

describe('a stage', () => {
  it('counts what it reports', () => {
    expect(countStage(0, { passed: 5, failed: 0 })).toEqual({ passed: 5, failed: 0 });
    expect(countStage(1, { passed: 5, failed: 2 })).toEqual({ passed: 5, failed: 2 });
  });

  it('counts as one when it reports nothing', () => {
    expect(countStage(0, undefined)).toEqual({ passed: 1, failed: 0 });
    expect(countStage(1, undefined)).toEqual({ passed: 0, failed: 1 });
  });

  it('that ended badly has failed, whatever it reports', () => {
    expect(countStage(139, { passed: 5, failed: 0 })).toEqual({ passed: 5, failed: 1 });
  });
});

describe('the tests of a run', () => {
  const passed = { status: 'passed', assertionResults: [{ status: 'passed' }] };

  it('are counted from the report', () => {
    const failed = { status: 'failed', assertionResults: [{ status: 'failed' }] };
    expect(countTests({ numPassedTests: 9, numFailedTests: 1, testResults: [passed, failed] })).toEqual({
      passed: 9,
      failed: 1,
    });
  });

  it('include a file that could not be loaded', () => {
    const broken = { status: 'failed', assertionResults: [] };
    expect(countTests({ numPassedTests: 9, numFailedTests: 0, testResults: [passed, broken] })).toEqual({
      passed: 9,
      failed: 1,
    });
  });
});
