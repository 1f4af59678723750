import { describe, expect, it } from 'vitest';
import { endOf, failedSteps, failedTests } from '../../scripts/failures.mjs';

describe('what is said again at the end of a long run', () => {
  it('is each test that failed, with its file and what it said, and each file that could not be loaded', () => {
    const testResults = [
      { name: '/here/test/a.test.ts', status: 'passed', assertionResults: [{ status: 'passed', fullName: 'fine' }] },
      {
        name: '/here/test/b.test.ts',
        status: 'failed',
        assertionResults: [
          { status: 'passed', fullName: 'fine' },
          { status: 'failed', fullName: 'sum adds', failureMessages: ['Error: 1 is not 2\n    at b.test.ts:7'] },
        ],
      },
      { name: '/here/test/c.test.ts', status: 'failed', message: 'Cannot find c.ts', assertionResults: [] },
    ];
    expect(failedTests({ testResults }, '/here')).toEqual([
      'FAILED test/b.test.ts > sum adds\n       Error: 1 is not 2\n           at b.test.ts:7',
      'FAILED test/c.test.ts\n       Cannot find c.ts',
    ]);
  });

  it('is a file whose tests failed, and something else of it', () => {
    const assertionResults = [{ status: 'failed', fullName: 'a', failureMessages: ['no'] }];
    const testResults = [{ name: 'a.test.ts', status: 'failed', message: 'afterAll: no', assertionResults }];
    expect(failedTests({ testResults }, '/here')).toEqual([
      'FAILED a.test.ts > a\n       no',
      'FAILED a.test.ts\n       afterAll: no',
    ]);
  });

  it('is the end of what names nothing', () => {
    const output = Array.from({ length: 500 }, (_, line) => `line ${line}`).join('\n');
    expect(endOf('example atlas', output).split('\n')).toEqual([
      'FAILED example atlas',
      ...Array.from({ length: 20 }, (_, line) => `       line ${480 + line}`),
    ]);
  });

  it('is the beginning of a long message', () => {
    const message = Array.from({ length: 500 }, (_, line) => `line ${line}`).join('\n');
    const testResults = [
      {
        name: 'a.test.ts',
        status: 'failed',
        assertionResults: [{ status: 'failed', fullName: 'a', failureMessages: [message] }],
      },
    ];
    expect(failedTests({ testResults }, '/here')[0]!.split('\n')).toHaveLength(21);
  });

  it('is each step that failed, with what it printed', () => {
    expect(
      failedSteps(
        'ok     types  1.0 s\nFAILED lint   2.0 s\n       no-debugger\n\nok     format 1.0 s\nFAILED build 0.1 s\n2 passed',
      ),
    ).toEqual(['FAILED lint   2.0 s\n       no-debugger', 'FAILED build 0.1 s']);
  });
});
