import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columns, cut, wrapped } from '../../packages/query-timing/src/terminal/columns.ts';
import { labelOf } from '../../packages/query-timing/src/terminal/finding-lines.ts';
import { ms } from '../../packages/query-timing/src/terminal/figures.ts';
import { place } from '../../packages/query-timing/src/terminal/place.ts';
import { printable } from '../../packages/query-timing/src/terminal/printable.ts';
import { scopeLines } from '../../packages/query-timing/src/terminal/scope-lines.ts';
import { summaryTable } from '../../packages/query-timing/src/terminal/summary-table.ts';
import type { TerminalStyle } from '../../packages/query-timing/src/terminal/terminal-style.ts';
import { countedFinding, finding, report, scope, shape, site } from './fixtures/small-report.ts';

const plain = (width: number): TerminalStyle => ({ colors: false, width, root: '/app' });
const slow = finding({
  kind: 'slow',
  severity: 'error',
  title: 'Slow: 1.2 s for select book',
  count: 1,
  fix: undefined,
  site: undefined,
});

describe('a scope', () => {
  const books = scope({ findings: [finding(), slow] });

  test('is one line, with its findings below it, the worst first', () => {
    expect(scopeLines(books, plain(200))).toEqual([
      'GET /books  12 queries  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)  2 findings',
      '  slow  1.2 s for select book',
      `  N+1 ×10  select author by id, for each of the 10 books read at books.ts:38  books.ts:41 in listBooks  fix: populate: ['author']`,
    ]);
  });

  test('in 80 columns has the fix on a line of its own', () => {
    expect(scopeLines(books, plain(80))).toEqual([
      'GET /books  12 queries  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)  2 findings',
      '  slow  1.2 s for select book',
      '  N+1 ×10  select author by id, …s read at books.ts:38  books.ts:41 in listBooks',
      `    fix: populate: ['author']`,
    ]);
  });

  test('in 60 columns goes without the parts of its time', () => {
    expect(scopeLines(books, plain(60))[0]).toBe('GET /books  12 queries  34.1 ms sql  2 findings');
  });

  test('in 40 columns goes without the number of findings, too', () => {
    expect(scopeLines(books, plain(40))).toEqual([
      'GET /books  12 queries  34.1 ms sql',
      '  slow  1.2 s for select book',
      '  N+1 ×10  select author …at books.ts:38',
      '    books.ts:41 in listBooks',
      `    fix: populate: ['author']`,
    ]);
  });

  test('in colours', () => {
    const lines = scopeLines(books, { ...plain(200), colors: true });
    expect(lines[0]).toBe(
      '\x1b[1mGET /books\x1b[22m  12 queries  \x1b[1m34.1 ms sql\x1b[22m' +
        '\x1b[2m (wait 0.4 · db 27 · hydrate 6)\x1b[22m  \x1b[33m2 findings\x1b[39m',
    );
    expect(lines[1]).toBe('  \x1b[91mslow\x1b[39m  1.2 s for select book');
    expect(lines.map(stripVTControlCharacters)).toEqual(scopeLines(books, plain(200)));
  });

  test('has lines that fit, whatever it is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 40, max: 200 }), (text, width) => {
        const any = scope({ name: text, findings: [finding({ title: text, fix: text, site: site(text, 1, text) })] });
        expect(Math.max(...scopeLines(any, plain(width)).map(columns))).toBeLessThanOrEqual(width);
      }),
    );
  });

  test('that failed in part says so', () => {
    expect(scopeLines(scope({ queries: 1, errors: 1 }), plain(200))).toEqual([
      'GET /books  1 query  1 failed  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)',
    ]);
  });

  test('with many findings shows ten', () => {
    const many = scope({ findings: Array.from({ length: 13 }, () => slow) });
    const lines = scopeLines(many, plain(200));
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toBe('  … and 3 more findings');
  });

  test('with a long name keeps both ends of it', () => {
    const long = scope({ name: `GET /${'a'.repeat(190)}/end`, queries: 1 });
    expect(scopeLines(long, plain(80))).toEqual([`GET /${'a'.repeat(24)}…${'a'.repeat(24)}/end  1 query  34.1 ms sql`]);
  });

  test('of which a fix is long, or code of several lines, is shown whole', () => {
    const advice = finding({
      kind: 'missing-index',
      title: 'Missing index: book is read whole for author_id',
      count: 1,
      fix: `indexes: [{ properties: ['author', 'createdAt'] }]  // on the entity Book\ncreate index concurrently on "book" ("author_id", "created_at");`,
    });
    expect(scopeLines(scope({ findings: [advice] }), plain(60)).slice(1)).toEqual([
      '  missing index  book is read whole for author_id',
      '    books.ts:41 in listBooks',
      `    fix: indexes: [{ properties: ['author', 'createdAt'] }]`,
      '         // on the entity Book',
      '         create index concurrently on "book" ("author_id",',
      '         "created_at");',
    ]);
  });
});

describe('the summary', () => {
  const all = report({
    shapes: [shape(), shape({ calls: 1_200, rows: 3, database: 7_000, text: 'commit', p95: 12 })],
    findings: [countedFinding({ occurrences: 3 })],
  });

  test('has totals, shapes by what they cost, and findings', () => {
    expect(summaryTable(all, plain(200))).toEqual([
      '12 queries in 1 scope  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)',
      '  total ms   %  calls  p95 ms  rows  query',
      '      20.0  59     10     2.3    10  select "a0".* from "author" as "a0" where "a0"."id" = ?',
      '       7.0  21   1200     0.0     3  commit',
      '1 finding',
      `  N+1 ×10 (3 times)  select author by id, for each of the 10 books read at books.ts:38  books.ts:41 in listBooks  fix: populate: ['author']`,
    ]);
  });

  test('in 80 columns cuts the statements', () => {
    expect(summaryTable(all, plain(80))).toEqual([
      '12 queries in 1 scope  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)',
      '  total ms   %  calls  p95 ms  rows  query',
      '      20.0  59     10     2.3    10  select "a0".* from "a…" where "a0"."id" = ?',
      '       7.0  21   1200     0.0     3  commit',
      '1 finding',
      '  N+1 ×10 (3 times)  select author by…d at books.ts:38  books.ts:41 in listBooks',
      `    fix: populate: ['author']`,
    ]);
  });

  test('in 40 columns goes without some figures', () => {
    expect(summaryTable(all, plain(40))).toEqual([
      '12 queries in 1 scope  34.1 ms sql',
      '  total ms  calls  query',
      '      20.0     10  select "a0…"."id" = ?',
      '       7.0   1200  commit',
      '1 finding',
      '  N+1 ×10 (3 times)  select au…oks.ts:38',
      '    books.ts:41 in listBooks',
      `    fix: populate: ['author']`,
    ]);
  });

  test('has ten shapes, and the sum of the rest', () => {
    const many = report({ shapes: Array.from({ length: 12 }, () => shape()) });
    const lines = summaryTable(many, plain(200));
    expect(lines).toHaveLength(13);
    expect(lines.at(-1)).toBe('  … and 2 more shapes of 40.0 ms');
  });

  test('of nothing is nothing', () => {
    expect(summaryTable(report({ totals: { ...report().totals, queries: 0 } }), plain(80))).toEqual([]);
  });
});

describe('a text from elsewhere', () => {
  test.each([
    ['a\x1b[2J\rb\nc', String.raw`a\x1b[2J\x0db\x0ac`],
    ['\u009b31m', String.raw`\x9b31m`],
    ['user\u202egnp.exe', String.raw`user\u{202e}gnp.exe`],
    ['zero\u200bwidth\ufeff', String.raw`zero\u{200b}width\u{feff}`],
    ['line\u2028end', String.raw`line\u{2028}end`],
    ['half \ud83d', String.raw`half \u{d83d}`],
    ['::error file=x::y', String.raw`:\x3aerror file=x::y`],
    ['  ::stop-commands::y', String.raw`  :\x3astop-commands::y`],
    ['x ##[error]y ##vso[task.complete]', String.raw`x #\x23[error]y #\x23vso[task.complete]`],
    ['std::vector ## a', 'std::vector ## a'],
    ['图书 👩‍👩‍👧 ❤️ é ñ', '图书 👩‍👩‍👧 ❤️ é ñ'],
    [`z${'\u0301'.repeat(50)}`, `z${'\u0301'.repeat(4)}`],
  ])('%j is shown as %s', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test('of 1 MB is cut', () => {
    expect(printable('x'.repeat(1_000_000))).toBe(`${'x'.repeat(1_000)}…${'x'.repeat(1_000)}`);
  });

  test('never has what moves a cursor, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), text => {
        // oxlint-disable-next-line no-control-regex -- it is what must not be there
        expect(printable(text)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  test('as the name of a scope stays on its line', () => {
    const hostile = scope({ name: '\x1b]0;owned\x07\n::error::x\r\x1b[1A\x1b[2K' });
    for (const width of [40, 80, 200]) {
      const lines = scopeLines(hostile, plain(width));
      expect(lines).toHaveLength(1);
      // oxlint-disable-next-line no-control-regex -- it is what must not be there
      expect(lines[0]).not.toMatch(/[\x00-\x1f]/);
    }
    expect(scopeLines(hostile, plain(200))[0]).toBe(
      String.raw`\x1b]0;owned\x07\x0a::error::x\x0d\x1b[1A\x1b[2K  12 queries  34.1 ms sql (wait 0.4 · db 27 · hydrate 6)`,
    );
  });

  test('as anything in a finding stays on its lines', () => {
    const evil = '\x1b[2J\x07\u202e';
    const hostile = finding({
      title: `x${evil}`,
      fix: `y${evil}\r\nz`,
      site: site(`/app/${evil}.ts`, 1, `f${evil}`),
    });
    const text = scopeLines(scope({ findings: [hostile] }), plain(80)).join('\n');
    // oxlint-disable-next-line no-control-regex -- it is what must not be there
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f\u202e]/);
  });
});

describe('room', () => {
  test.each([
    ['abc', 3],
    ['图书', 4],
    ['ｆｕｌｌ', 8],
    ['한국어', 6],
    ['👩‍👩‍👧', 2],
    ['❤️', 2],
    ['🇩🇪', 2],
    ['e\u0301', 1],
    ['×10 … ·', 7],
    ['', 0],
  ])('%s takes %i columns', (text, expected) => {
    expect(columns(text)).toBe(expected);
  });

  test('a cut text keeps both ends, and never half a character', () => {
    expect(cut('abcdefghij', 10)).toBe('abcdefghij');
    expect(cut('abcdefghij', 7)).toBe('abc…hij');
    expect(cut('abcdefghij', 6)).toBe('abc…ij');
    expect(cut('图书馆里的书', 7)).toBe('图…的书');
    expect(cut('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 5)).toBe('👩‍👩‍👧…👩‍👩‍👧');
    expect(cut('abc', 1)).toBe('…');
  });

  test('a cut text fits, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, most) => {
        expect(columns(cut(printable(text), most))).toBeLessThanOrEqual(most);
      }),
    );
  });

  test('text is wrapped at spaces, and keeps how far its lines are set in', () => {
    expect(wrapped('  one two three', 10)).toEqual(['  one two', '  three']);
    expect(wrapped('averyveryverylongword x', 10)).toEqual(['avery…word', 'x']);
    expect(wrapped('', 10)).toEqual(['']);
  });

  test('wrapped text fits, and no word of it is lost', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1 });
    fc.assert(
      fc.property(words, fc.integer({ min: 8, max: 40 }), (all, most) => {
        const lines = wrapped(all.join(' '), most);
        expect(Math.max(...lines.map(columns))).toBeLessThanOrEqual(most);
        expect(lines.join(' ')).toBe(all.join(' '));
      }),
    );
  });

  test.each([
    [0, '0'],
    [4, '0'],
    [43, '0.04'],
    [999, '1'],
    [1_040, '1'],
    [34_120, '34.1'],
    [812_400, '812'],
    [12_345_678, '12346'],
  ])('%i µs are %s ms', (us, expected) => {
    expect(ms(us)).toBe(expected);
  });
});

describe('a place', () => {
  test.each([
    [site('/app/src/books.ts', 41, 'listBooks'), 'src/books.ts:41 in listBooks'],
    [site('file:///app/src/my%20books.ts', 41), 'src/my books.ts:41'],
    [site('/elsewhere/here.ts', 1), '/elsewhere/here.ts:1'],
    [site('/x.ts', 1), '/x.ts:1'],
    [site('webpack-internal:///./src/books.ts', 7), 'webpack-internal:///./src/books.ts:7'],
    [site('file://%ZZ', 7), 'file://%ZZ:7'],
  ])('%j is %s', (where, expected) => {
    expect(place(where, '/app')).toBe(expected);
  });

  test('beside the folder is seen from it', () => {
    expect(place(site('/work/books/src/a.ts', 1), '/work/books/test')).toBe('../src/a.ts:1');
  });
});

test.each([
  ['n+1', 'N+1'],
  ['mn+1', 'MN+1'],
  ['missing-foreign-key-index', 'missing foreign key index'],
] as const)('%s is called %s', (kind, expected) => {
  expect(labelOf({ kind })).toBe(expected);
});
