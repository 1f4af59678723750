import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { readBaseline, writeBaseline } from '../../packages/query-timing/src/baseline.ts';
import { mergeBaseline } from '../../packages/query-timing/src/ci/merge-baseline.ts';
import { finding, site } from './fixtures/small-report.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baseline-'));
  path = join(folder, 'queries.json');
  return () => rmSync(folder, { recursive: true });
});

const books = (): ReturnType<typeof finding> =>
  finding({ id: 'b1', site: site(join(folder, 'src', 'books.ts'), 41, 'listBooks') });

describe('what is written', () => {
  test('is SQL, file, function and count by id', () => {
    writeBaseline(path, [books()]);
    expect(readFileSync(path, 'utf8')).toBe(`{
  "version": 1,
  "findings": [
    {
      "id": "b1",
      "kind": "n+1",
      "sql": "select \\"a0\\".* from \\"author\\" as \\"a0\\" where \\"a0\\".\\"id\\" = ?",
      "file": "src/books.ts",
      "function": "listBooks",
      "count": 10
    }
  ]
}
`);
  });

  test('is read again', () => {
    const written = writeBaseline(path, [books(), finding({ id: 'no-place', site: undefined })]);
    expect(readBaseline(path)).toEqual(written);
  });

  test('names files as seen from its folder, wherever the tree is', () => {
    const { findings } = writeBaseline(join(folder, 'deep', 'er', 'queries.json'), [books()]);
    expect(findings[0]?.file).toBe('../../src/books.ts');
  });

  test('has no line: a finding that has moved is the same', () => {
    writeBaseline(path, [books()]);
    const before = readFileSync(path, 'utf8');
    writeBaseline(path, [{ ...books(), site: site(join(folder, 'src', 'books.ts'), 99, 'listBooks') }]);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  test('is in an order of its own, whatever order it came in', () => {
    const some = ['z.ts', 'a.ts', 'Z.ts', 'ä.ts'].flatMap((file, index) => [
      finding({ id: `1${index}`, site: site(join(folder, file), 1, 'b') }),
      finding({ id: `2${index}`, site: site(join(folder, file), 1, 'a') }),
    ]);
    writeBaseline(path, some);
    const text = readFileSync(path, 'utf8');
    rmSync(path);
    writeBaseline(path, some.toReversed());
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readBaseline(path).findings.map(({ file, function: name }) => `${file} ${name}`)).toEqual(
      ['Z.ts', 'a.ts', 'z.ts', 'ä.ts'].flatMap(file => [`${file} a`, `${file} b`]),
    );
  });
});

describe('a second run', () => {
  test('adds, and removes nothing', () => {
    writeBaseline(path, [books()]);
    writeBaseline(path, [finding({ id: 'other' })]);
    expect(
      readBaseline(path)
        .findings.map(({ id }) => id)
        .toSorted(),
    ).toEqual(['b1', 'other']);
    writeBaseline(path, []);
    expect(readBaseline(path).findings).toHaveLength(2);
  });

  test('with fewer queries keeps the higher count', () => {
    writeBaseline(path, [books()]);
    writeBaseline(path, [{ ...books(), count: 3 }]);
    expect(readBaseline(path).findings[0]?.count).toBe(10);
    writeBaseline(path, [{ ...books(), count: 30 }]);
    expect(readBaseline(path).findings[0]?.count).toBe(30);
  });

  test('that found nothing new does not touch the file', () => {
    writeBaseline(path, [books()]);
    utimesSync(path, 1, 1);
    writeBaseline(path, [books()]);
    expect(statSync(path).mtimeMs).toBe(1_000);
  });

  test('gives the same file in whatever order runs are made', () => {
    const found = fc.record({ id: fc.constantFrom('a', 'b', 'c'), count: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(fc.array(found)), runs => {
        const merged = (all: typeof runs): unknown =>
          all.reduce(
            (before, run) => mergeBaseline(before.findings, run.map(finding), folder),
            mergeBaseline([], [], folder),
          );
        expect(merged(runs.toReversed())).toEqual(merged(runs));
        expect(merged([runs.flat()])).toEqual(merged(runs));
      }),
    );
  });

  test('beside others loses nothing', async () => {
    const program = `
      import { writeBaseline } from ${JSON.stringify(new URL('../../packages/query-timing/src/baseline.ts', import.meta.url).href)};
      const finding = JSON.parse(process.argv[2]);
      for (let i = 0; i < 20; i++) writeBaseline(process.argv[1], [{ ...finding, id: process.argv[3] + i }]);
    `;
    await Promise.all(
      ['a', 'b', 'c'].map(name =>
        promisify(execFile)(process.execPath, [
          '--input-type=module',
          '-e',
          program,
          path,
          JSON.stringify(books()),
          name,
        ]),
      ),
    );
    expect(readBaseline(path).findings).toHaveLength(60);
    expect(readdirSync(folder)).toEqual(['queries.json']);
  });

  test('takes over the lock of one that has died', () => {
    writeFileSync(`${path}.lock`, '');
    utimesSync(`${path}.lock`, 1, 1);
    writeBaseline(path, [books()]);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });
});

describe('a file that is none', () => {
  test('is not there', () => {
    expect(() => readBaseline('/nowhere/queries.json')).toThrow(
      'baseline is the path of a baseline file, but got: "/nowhere/queries.json". There is no such file. Write it with ' +
        'writeBaseline(path, findings), or run the tests once with MIKROKIT_UPDATE_BASELINE=1.',
    );
  });

  test.each([
    ['', 'a text that is no JSON'],
    ['{', 'a text that is no JSON'],
    ['[]', 'an array of 0'],
    ['null', 'null'],
    ['{}', 'an object with nothing in it'],
    ['{"version":2,"findings":[]}', 'version 2'],
    ['{"version":1,"findings":{}}', 'an object with version, findings'],
    ['{"version":1,"findings":[3]}', 'findings[0]: 3'],
    ['{"version":1,"findings":[{"id":"a"}]}', 'findings[0]: an object with id'],
    ['{"version":1,"findings":[{"id":"a","kind":"n+1","sql":"x","count":-1}]}', 'findings[0]: an object with id'],
    ['{"version":1,"findings":[{"id":7,"kind":"n+1","sql":"x","count":1}]}', 'findings[0]: an object with id'],
  ])('%s', (text, what) => {
    writeFileSync(path, text);
    expect(() => readBaseline(path)).toThrow(/^baseline names a file with \{ version: 1, findings: /);
    expect(() => readBaseline(path)).toThrow(what);
    // It is not written over either: it may be a file that something else needs.
    expect(() => writeBaseline(path, [books()])).toThrow(what);
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  test('too large to be one', () => {
    writeFileSync(path, ' '.repeat(16_000_001));
    expect(() => readBaseline(path)).toThrow('16000001 bytes');
  });

  test.each([undefined, '', 7])('no path at all: %s', value => {
    expect(() => readBaseline(value as string)).toThrow('baseline is the path of a baseline file, but got: ');
    expect(() => writeBaseline(value as string, [])).toThrow('baseline is the path of a baseline file, but got: ');
  });

  test('has more than is known: that is left out', () => {
    writeFileSync(
      path,
      '{"version":1,"findings":[{"id":"a","kind":"n+1","sql":"x","count":1,"__proto__":{"y":1},"z":2}]}',
    );
    expect(readBaseline(path).findings).toEqual([{ id: 'a', kind: 'n+1', sql: 'x', count: 1 }]);
  });
});
