import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';

/* The matchers in the real Jest, in a process of its own. */

const folder = join(import.meta.dirname, 'jest');

interface Outcome {
  readonly title: string;
  readonly status: 'passed' | 'failed';
  readonly failureMessages: readonly string[];
}

let outcomes: ReadonlyMap<string, Outcome>;
let text: string;

beforeAll(async () => {
  const database = await openDatabase();
  const child = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      createRequire(import.meta.url).resolve('jest/bin/jest'),
      '--config',
      join(folder, 'jest.config.json'),
      '--no-cache',
      '--ci=false',
      '--json',
    ],
    { env: { ...process.env, DATABASE_URL: database.url, NODE_ENV: 'test' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  text = '';
  child.stdout.on('data', (part: Buffer) => void (output += String(part)));
  child.stderr.on('data', (part: Buffer) => void (text += String(part)));
  await once(child, 'close');
  rmSync(join(folder, '__snapshots__'), { recursive: true, force: true });
  const { testResults } = JSON.parse(output) as { testResults: { assertionResults: Outcome[] }[] };
  outcomes = new Map(testResults.flatMap(({ assertionResults }) => assertionResults.map(each => [each.title, each])));
}, 120_000);

describe('queryMatchers() in Jest', () => {
  test.each(['count', 'find an N+1', 'look at indexes', 'compare with a snapshot'])('%s', title => {
    expect(outcomes.get(title)?.failureMessages, text).toEqual([]);
    expect(outcomes.get(title)?.status).toBe('passed');
  });

  test('the snapshot was written by Jest', () => {
    expect(text).toMatch(/1 snapshot written/);
  });

  test('a failure prints what was run', () => {
    const failed = outcomes.get('fail in words');
    expect(failed?.status).toBe('failed');
    expect(failed?.failureMessages.join('\n')).toContain('expected 2 queries, but 6 were run:');
  });
});
