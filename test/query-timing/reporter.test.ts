import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Finding } from '@mikrokit/query-timing';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { readBaseline, writeBaseline } from '../../packages/query-timing/src/baseline.ts';
import { annotation } from '../../packages/query-timing/src/ci/annotation.ts';
import { ciReport, type CiReportOptions } from '../../packages/query-timing/src/ci/ci-report.ts';
import { jobSummary } from '../../packages/query-timing/src/ci/job-summary.ts';
import { finding, site } from './fixtures/small-report.ts';

const slow = finding({
  id: 'slow1',
  kind: 'slow',
  severity: 'error',
  title: 'Slow: 1.2 s for select book',
  count: 1,
  fix: undefined,
  site: undefined,
});
const evil = '`</code><img src=x onerror=alert(1)>|\n```\n::error::owned\r\n%0A\x1b[2J[x](javascript:1) @all ##[error]';

/** What GitHub's runner makes of a line: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs */
function parsed(line: string): { command: string; properties: Record<string, string>; message: string } {
  const [, command = '', properties = '', message = ''] = /^::(\w+) (.*?)::(.*)$/.exec(line) ?? [];
  const plain = (value: string): string => value.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
  const bare = (value: string): string =>
    value
      .replaceAll('%0D', '\r')
      .replaceAll('%0A', '\n')
      .replaceAll('%3A', ':')
      .replaceAll('%2C', ',')
      .replaceAll('%25', '%');
  const pairs = properties.split(',').map(pair => {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    return [name, bare(value)];
  });
  return { command, properties: Object.fromEntries(pairs), message: plain(message) };
}

describe('an annotation', () => {
  test('is beside the line', () => {
    expect(annotation(finding(), '/app')).toBe(
      '::warning file=books.ts,line=41,title=N+1 ×10::' +
        `select author by id, for each of the 10 books read at books.ts:38%0Afix: populate: ['author']`,
    );
  });

  test('is as severe as the finding', () => {
    expect(annotation(slow, '/app')).toBe('::error title=slow::1.2 s for select book');
    expect(annotation({ ...slow, severity: 'info' }, '/app')).toBe('::notice title=slow::1.2 s for select book');
  });

  test.each([
    ['file:///app/src/a.ts', 'src/a.ts'],
    ['/app/..hidden/a.ts', '..hidden/a.ts'],
    ['/elsewhere/a.ts', undefined],
    ['webpack-internal:///a.ts', undefined],
  ])('of %s names the file %s: only those of the repository', (file, expected) => {
    const { properties } = parsed(annotation(finding({ site: site(file, 7) }), '/app'));
    expect(properties['file']).toBe(expected);
    expect(properties['line']).toBe(expected === undefined ? undefined : '7');
  });

  test('is one command, whatever stands in it', () => {
    const any = fc.string({ unit: fc.constantFrom('a', ':', ',', '%', '=', '\n', '\r', ';', '::', '2C', '0A', 'é') });
    fc.assert(
      fc.property(any, any, any, (title, file, fix) => {
        const line = annotation(finding({ title, fix, site: site(`/app/x${file}`, 7) }), '/app');
        expect(line).not.toMatch(/[\r\n]/);
        const { command, properties } = parsed(line);
        expect(command).toBe('warning');
        expect(Object.keys(properties).filter(name => name !== 'file' && name !== 'line')).toEqual(['title']);
        expect(properties['title']).toBe('N+1 ×10');
      }),
    );
  });

  test('of hostile texts shows them', () => {
    const line = annotation(finding({ title: evil, fix: undefined, site: site(`/app/a,b:c%0A.ts`, 1) }), '/app');
    expect(parsed(line)).toEqual({
      command: 'warning',
      properties: { file: 'a,b:c%0A.ts', line: '1', title: 'N+1 ×10' },
      message:
        String.raw`\`</code><img src=x onerror=alert(1)>|\x0a\`\`\`\x0a::error::owned\x0d\x0a%0A\x1b[2J[x](javascript:1) @all #\x23[error]`.replaceAll(
          '\\`',
          '`',
        ),
    });
  });
});

describe('a summary', () => {
  test('has the worst first, with place and fix', () => {
    expect(jobSummary([finding(), slow], 2, '/app')).toBe(`## Queries: 2 new findings, 2 known

- **slow** \` 1.2 s for select book \`

- **N+1 ×10** \` select author by id, for each of the 10 books read at books.ts:38 \` at \` books.ts:41 in listBooks \`

  \`\`\`ts
  populate: ['author']
  \`\`\`
`);
  });

  test('of nothing new says so', () => {
    expect(jobSummary([], 3, '/app')).toBe('## Queries: nothing new, 3 known\n');
  });

  test('of very many has a hundred', () => {
    const lines = jobSummary(
      Array.from({ length: 120 }, () => slow),
      0,
      '/app',
    ).split('\n');
    expect(lines.filter(line => line.startsWith('- **slow**'))).toHaveLength(100);
    expect(lines.at(-2)).toBe('- … and 20 more');
  });

  test('has hostile texts in code that they cannot leave', () => {
    const summary = jobSummary(
      [finding({ title: evil, fix: `\`\`\`\`\n</details>${evil}`, site: undefined })],
      0,
      '/app',
    );
    const [, , item = '', , open = '', ...rest] = summary.split('\n');
    // A span of code ends at as many marks as it began with, and there is no such run in it.
    expect(item).toMatch(/^- \*\*N\+1 ×10\*\* (`{4}) (?:(?!`{4}).)* `{4}$/);
    expect(open).toBe('  `````ts');
    expect(rest.findIndex(line => line.trim() === '`````')).toBe(rest.length - 2);
    expect(rest.slice(0, -2).join('\n')).not.toContain('`````');
  });
});

describe('ciReport()', () => {
  let folder: string;
  let summary: string;
  let baseline: string;
  let written: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'reporter-'));
    summary = join(folder, 'summary.md');
    baseline = join(folder, 'queries.json');
    written = '';
    vi.stubEnv('GITHUB_ACTIONS', undefined)
      .stubEnv('GITHUB_STEP_SUMMARY', undefined)
      .stubEnv('GITHUB_WORKSPACE', '/app')
      .stubEnv('MIKROKIT_UPDATE_BASELINE', undefined);
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation(line => {
      written += String(line);
      return true;
    });
    return () => {
      spy.mockRestore();
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
      process.exitCode = undefined;
    };
  });
  const both: readonly Finding[] = [finding(), slow];

  test('outside of CI writes nothing, and tells what is new', () => {
    expect(ciReport(both)).toEqual({ fresh: [slow, finding()], known: [] });
    expect(written).toBe('');
    expect(process.exitCode).toBeUndefined();
  });

  test('on GitHub annotates, and adds to the summary of the step', () => {
    vi.stubEnv('GITHUB_ACTIONS', 'true').stubEnv('GITHUB_STEP_SUMMARY', summary);
    writeFileSync(summary, 'before\n');
    ciReport(both);
    expect(written).toBe(`${annotation(slow, '/app')}\n${annotation(finding(), '/app')}\n`);
    expect(readFileSync(summary, 'utf8')).toBe(`before\n${jobSummary(both, 0, '/app')}\n`);
  });

  test('with nothing found leaves the summary alone', () => {
    writeFileSync(summary, '');
    ciReport([], { summary });
    expect(readFileSync(summary, 'utf8')).toBe('');
  });

  test('annotates fifty at most', () => {
    ciReport(
      Array.from({ length: 60 }, (_, index) => ({ ...slow, id: `${index}` })),
      { annotations: true },
    );
    expect(written.split('\n')).toHaveLength(51);
  });

  test('does not tell of what the baseline has, however often it is now', () => {
    writeBaseline(baseline, [finding()]);
    const more = finding({ count: 1_000 });
    expect(ciReport([more, slow], { baseline, annotations: true, fail: true })).toEqual({
      fresh: [slow],
      known: [more],
    });
    expect(written).toBe(`${annotation(slow, '/app')}\n`);
  });

  test('writes the baseline if told to, by the environment too, and then nothing is new', () => {
    expect(ciReport(both, { baseline, update: true, fail: true })).toEqual({ fresh: [], known: both });
    expect(readBaseline(baseline).findings.map(({ id }) => id)).toEqual(['slow1', 'f00d']);
    expect(process.exitCode).toBeUndefined();
    vi.stubEnv('MIKROKIT_UPDATE_BASELINE', '1');
    ciReport([finding({ id: 'third' })], { baseline });
    expect(readBaseline(baseline).findings).toHaveLength(3);
  });

  test('fails the process only if it is told to, and there is something new', () => {
    ciReport(both, { baseline, update: true });
    ciReport(both, { baseline, fail: true });
    expect(process.exitCode).toBeUndefined();
    ciReport(both);
    expect(process.exitCode).toBeUndefined();
    ciReport(both, { fail: true });
    expect(process.exitCode).toBe(1);
  });

  test('without its baseline says how to make it', () => {
    expect(() => ciReport(both, { baseline })).toThrow(
      `There is no such file. Write it with writeBaseline(path, findings), or run the tests once with MIKROKIT_UPDATE_BASELINE=1.`,
    );
  });

  test.each([
    [
      { failure: true },
      `ciReport() has no option "failure". Its options are: baseline, update, annotations, summary, fail, root.`,
    ],
    [{ fail: 'yes' }, `fail is true or false, but got: "yes". Leave it out for false.`],
    [{ baseline: 7 }, `baseline is a text that is not empty, but got: 7. Leave it out if there is none.`],
    ['queries.json', `ciReport() has no option "\\"queries.json\\"".`],
  ])('with %j is refused', (options, message) => {
    expect(() => ciReport(both, options as CiReportOptions)).toThrow(message);
  });

  test('without findings is refused', () => {
    expect(() => ciReport({} as never)).toThrow(
      'findings is an array of findings, but got: an object with nothing in it.',
    );
  });
});

test('in a program of its own the exit code is the only thing that fails', async () => {
  const module = JSON.stringify(new URL('../../packages/query-timing/src/ci/ci-report.ts', import.meta.url).href);
  const program = `import { ciReport } from ${module}; ciReport([JSON.parse(process.argv[1])], { annotations: true, fail: true });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, JSON.stringify(slow)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await text(child.stdout)).toBe('::error title=slow::1.2 s for select book\n');
  expect(child.exitCode ?? (await new Promise(resolve => child.once('exit', resolve)))).toBe(1);
});
