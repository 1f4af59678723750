import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { QueryTiming, ScopeReport, TerminalOptions, TimingReport } from '@mikrokit/query-timing';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { attachTerminal } from '../../packages/query-timing/src/terminal/attach-terminal.ts';
import { resolveTerminalOptions } from '../../packages/query-timing/src/terminal/terminal-options.ts';
import { openDatabase } from '../harness/database.ts';
import { finding, report, scope } from './fixtures/small-report.ts';

const LINE = 'GET /books  12 queries  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)\n';

/** What tells of scopes, by hand. */
class Source implements Pick<QueryTiming, 'on' | 'report'> {
  told: TimingReport = report();
  readonly heard: Set<(scope: ScopeReport) => void> = new Set();

  on: QueryTiming['on'] = (name, fn) => {
    const listener = fn as (scope: ScopeReport) => void;
    if (name === 'scope') {
      this.heard.add(listener);
    }
    return () => void this.heard.delete(listener);
  };

  report(): TimingReport {
    return this.told;
  }

  end(parts: Partial<ScopeReport> = {}): void {
    for (const fn of this.heard) {
      fn(scope(parts));
    }
  }
}

class Screen {
  text = '';
  write(text: string): void {
    this.text += text;
  }
}

const attached: (() => void)[] = [];
afterEach(() => {
  for (const end of attached.splice(0)) {
    end();
  }
});
beforeEach(() => {
  vi.stubEnv('FORCE_COLOR', undefined).stubEnv('NO_COLOR', undefined).stubEnv('TERM', 'xterm');
  return () => vi.unstubAllEnvs();
});

function attach(options: TerminalOptions): { source: Source; detach: () => void } {
  const source = new Source();
  const resolved = resolveTerminalOptions(options, 'test');
  if (resolved === undefined) {
    throw new Error('The terminal is off');
  }
  const detach = attachTerminal(source, resolved);
  attached.push(detach);
  return { source, detach };
}

/** What the process does when it ends, without its end. */
function exit(event: 'beforeExit' | 'exit' = 'exit'): void {
  for (const fn of process.listeners(event as 'exit')) {
    if (fn.name === 'summary') {
      fn.call(process, 0);
    }
  }
}

describe('scopes', () => {
  test('a request and a job get a line', () => {
    const stream = new Screen();
    const { source } = attach({ stream });
    source.end();
    source.end({ kind: 'job', name: 'nightly' });
    expect(stream.text).toBe(LINE + LINE.replace('GET /books', 'nightly'));
  });

  test('a fork, the process, and what has not queried get none', () => {
    const stream = new Screen();
    const { source } = attach({ stream });
    source.end({ kind: 'fork' });
    source.end({ kind: 'process' });
    source.end({ queries: 0 });
    expect(stream.text).toBe('');
  });

  test('a fast one gets none with minTime, but for its findings', () => {
    const stream = new Screen();
    const { source } = attach({ stream, minTime: 100 });
    source.end({ took: 99_999 });
    expect(stream.text).toBe('');
    source.end({ took: 100_000 });
    expect(stream.text).toBe(LINE);
    source.end({ took: 10, findings: [finding()] });
    expect(stream.text).toContain('N+1 ×10');
  });

  test('none with scopes: false', () => {
    const { source } = attach({ stream: new Screen(), scopes: false });
    expect(source.heard.size).toBe(0);
  });

  test('none any more once it was ended', () => {
    const stream = new Screen();
    const { source, detach } = attach({ stream });
    detach();
    stream.text = '';
    source.end();
    expect(stream.text).toBe('');
  });
});

describe('the table at the end', () => {
  const TOTALS =
    '12 queries in 1 scope  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)\n  total ms  %  calls  p95 ms  rows  query\n';

  test('is written once', () => {
    const stream = new Screen();
    attach({ stream });
    exit('beforeExit');
    expect(stream.text).toBe(TOTALS);
    exit('exit');
    expect(stream.text).toBe(TOTALS);
  });

  test('and again if there was more after it', () => {
    const stream = new Screen();
    const { source } = attach({ stream });
    exit('beforeExit');
    source.told = report({ totals: { ...report().totals, queries: 13 } });
    exit('exit');
    expect(stream.text).toBe(TOTALS + TOTALS.replace('12', '13'));
  });

  test('is not written where nothing was queried', () => {
    const stream = new Screen();
    const { source } = attach({ stream });
    source.told = report({ totals: { ...report().totals, queries: 0 } });
    exit();
    expect(stream.text).toBe('');
  });

  test('is written when it is ended before, and nothing is left at the process', () => {
    const stream = new Screen();
    const before = process.listenerCount('exit') + process.listenerCount('beforeExit');
    const { detach } = attach({ stream });
    detach();
    expect(stream.text).toBe(TOTALS);
    exit();
    detach();
    expect(stream.text).toBe(TOTALS);
    expect(process.listenerCount('exit') + process.listenerCount('beforeExit')).toBe(before);
  });

  test('is not written with summary: false', () => {
    const stream = new Screen();
    attach({ stream, summary: false }).detach();
    exit();
    expect(stream.text).toBe('');
  });
});

describe('a script', () => {
  let url: string;
  beforeAll(async () => {
    ({ url } = await openDatabase());
  });

  /** Runs one that asks for a request and for a job, and then ends as it is told to. */
  async function script(
    end: string,
    stderr: 'pipe' | 'ignore' = 'pipe',
  ): Promise<{ code: number | null; told: string }> {
    const program = fileURLToPath(new URL('fixtures/terminal-program.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=@mikrokit/source', program, url, end], {
      stdio: ['ignore', 'inherit', stderr],
      env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'development' },
    });
    const told = child.stderr === null ? '' : await text(child.stderr);
    const code = child.exitCode ?? ((await once(child, 'exit'))[0] as number | null);
    // What it took is another each time.
    return {
      code,
      told: told
        // Shown where it is a tenth or more, which is another each time, too.
        .replaceAll(/ · send [\d.]+/g, '')
        .replaceAll(/\d+(\.\d+)?(?= ms sql| ·|\))/g, '0')
        .replaceAll(/ in [\d.]+ ms(?= \()/g, '')
        .replaceAll(/^ +\d.*  /gm, '  0  '),
    };
  }
  const LINES = [
    'GET /tags  1 query  0 ms sql (wait 0 · db 0 · hydrate 0)',
    'nightly  2 queries  0 ms sql (wait 0 · db 0 · hydrate 0)',
    '3 queries in 2 scopes  0 ms sql (wait 0 · db 0 · hydrate 0)',
    '  total ms   %  calls  p95 ms  rows  query',
    '  0  select "t0".* from "tag" as "t0" where "t0"."id" = ? limit ?',
    '  0  select "t0".* from "tag" as "t0"',
    '',
  ];

  test.each(['close', 'exit', 'end'])('that ends by %s writes all of it, once', async end => {
    const { code, told } = await script(end);
    expect(told.split('\n').toSorted()).toEqual(LINES.toSorted());
    expect(code).toBe(0);
  });

  test('whose output nobody reads ends as well', async () => {
    expect((await script('close', 'ignore')).code).toBe(0);
  });
});

describe('colours', () => {
  const written = (stream: Screen & { isTTY?: boolean }): string => {
    attach({ stream }).source.end();
    return stream.text;
  };
  const terminal = (): Screen => Object.assign(new Screen(), { isTTY: true, columns: 80 });
  const isColored = expect.stringContaining('\x1b[1mGET /books');

  test('are for terminals', () => {
    expect(written(terminal())).toEqual(isColored);
    expect(written(new Screen())).toBe(LINE);
  });

  test('are not for dumb ones', () => {
    vi.stubEnv('TERM', 'dumb');
    expect(written(terminal())).toBe(LINE);
  });

  test('are not there with NO_COLOR, if it is not empty', () => {
    vi.stubEnv('NO_COLOR', '');
    expect(written(terminal())).toEqual(isColored);
    vi.stubEnv('NO_COLOR', '1');
    expect(written(terminal())).toBe(LINE);
  });

  test('are there with FORCE_COLOR, whatever else is said', () => {
    vi.stubEnv('NO_COLOR', '1');
    vi.stubEnv('FORCE_COLOR', '1');
    expect(written(new Screen())).toEqual(isColored);
    vi.stubEnv('FORCE_COLOR', '0');
    expect(written(terminal())).toBe(LINE);
  });
});

test.each([
  [60, 'GET /books  12 queries  34.1 ms sql\n'],
  [80, LINE],
  [undefined, LINE],
  [0, LINE],
  [Number.NaN, LINE],
])('a terminal of %s columns', (columns, expected) => {
  const stream = Object.assign(new Screen(), { columns });
  attach({ stream: stream as Screen }).source.end();
  expect(stream.text).toBe(expected);
});

describe('a stream that', () => {
  /** Ends of the process that were not ours. */
  const errors: unknown[] = [];
  const heard = (error: unknown): void => void errors.push(error);
  beforeEach(() => {
    process.on('uncaughtException', heard).on('unhandledRejection', heard);
    return () => process.off('uncaughtException', heard).off('unhandledRejection', heard);
  });
  const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20));

  test.each<[string, NonNullable<TerminalOptions['stream']>]>([
    [
      'throws',
      {
        write: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'rejects',
      {
        write: async () => {
          throw new Error('no');
        },
      },
    ],
    ['fails', new Writable({ write: (_chunk, _encoding, done) => done(new Error('no')) })],
    ['is closed', new Writable().end()],
    ['is destroyed', new Writable().destroy()],
    ['is a file that cannot be opened', createWriteStream('/nowhere/at/all.log').once('error', () => {})],
  ])('%s hurts nobody', async (_, stream) => {
    const { source } = attach({ stream });
    for (let round = 0; round < 3; round++) {
      source.end();
      await settled();
    }
    exit();
    await settled();
    expect(errors).toEqual([]);
  });

  test('was closed does not tell the program of it by an error of ours', async () => {
    const stream = new Writable();
    const told: unknown[] = [];
    stream.on('error', error => told.push(error)).end();
    attach({ stream }).source.end();
    await settled();
    expect(told).toEqual([]);
  });

  test('does not keep up loses lines, not memory', () => {
    const stream = new Writable({ write: () => {} });
    const { source } = attach({ stream });
    for (let round = 0; round < 30_000; round++) {
      source.end();
    }
    expect(stream.writableLength).toBeLessThan(1_100_000);
    expect(stream.listenerCount('error')).toBe(1);
  });

  test('works keeps no listener of ours', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => void setImmediate(done) });
    const { source } = attach({ stream });
    source.end();
    source.end();
    stream.end();
    await once(stream, 'finish');
    await settled();
    expect(stream.listenerCount('error')).toBe(0);
  });
});

describe('options', () => {
  test('by default it is on in development only', () => {
    expect(resolveTerminalOptions(undefined, 'development')).toEqual({
      scopes: true,
      summary: true,
      minTime: 0,
      stream: process.stderr,
    });
    expect(resolveTerminalOptions(undefined, 'test')).toBeUndefined();
    expect(resolveTerminalOptions(undefined, 'production')).toBeUndefined();
    expect(resolveTerminalOptions(true, 'production')).toBeDefined();
    expect(resolveTerminalOptions({}, 'production')).toBeDefined();
    expect(resolveTerminalOptions(false, 'development')).toBeUndefined();
  });

  test.each([
    ['yes', `terminal is true, false or its options, but got: "yes". Leave it out for a report in development only.`],
    [{ minTime: '1s' }, `terminal.minTime is a number from 0 to 86400000 (ms), but got: "1s". Leave it out for 0.`],
    [
      { minTime: Number.NaN },
      `terminal.minTime is a number from 0 to 86400000 (ms), but got: NaN. Leave it out for 0.`,
    ],
    [{ scopes: 1 }, `terminal.scopes is true or false, but got: 1. Leave it out for true.`],
    [
      { stream: 'stderr' },
      `terminal.stream has a method write(text), but got: "stderr". Leave it out for process.stderr.`,
    ],
    [
      { colour: true },
      `terminal has the options scopes, summary, minTime and stream, but got: "colour". Leave it out, or write it as one of those.`,
    ],
  ])('%j is refused', (value, message) => {
    expect(() => resolveTerminalOptions(value as TerminalOptions, 'development')).toThrow(message);
  });
});
