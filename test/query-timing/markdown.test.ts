import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reportMarkdown } from '../../packages/query-timing/src/report/markdown.ts';
import { block, code, table, text } from '../../packages/query-timing/src/report/markdown-text.ts';
import { longReport } from './fixtures/long-report.ts';

describe('a report as Markdown', () => {
  const markdown = reportMarkdown(longReport());

  test('begins with all of it in a sentence', () => {
    expect(markdown.split('\n').slice(0, 3)).toEqual([
      '# Queries',
      '',
      '17\u202f981 queries in 120 scopes took 1 min 2 s (wait 3.73 s · send 3.11 s · database 42.9 s · hydrate 12.4 s), ' +
        'returned 138\u202f357 rows and failed 9 times, from 2026-01-15T13:03:20.000Z to 2026-01-15T14:03:20.000Z.',
    ]);
  });

  test('has a finding with its line, what led to it, and its fix', () => {
    const from = markdown.indexOf('### N+1');
    expect(markdown.slice(from, markdown.indexOf('### Slow query'))).toBe(
      [
        '### N+1: Author is loaded 10 times, once for each Book of one find.',
        '',
        '- 10 queries, 90 ms, seen 1 time',
        '- in `GET /books`',
        '- at `services/books.ts:20` in `listBooks` (`/app/src/services/books.ts:20:31`)',
        '- led to by `select "a0".* from "author" as "a0" where "a0"."publisher_id" = ? and "a0"."version" >= ?` at ' +
          '`services/authors.ts:27` in `listAuthors` (`/app/src/services/authors.ts:27:31`), proved by its rows (`author_id`)',
        '- 10 queries of one shape, 10 different values, one line.',
        '- Every value was among author\\_id of the 12 rows of the find before.',
        '',
        '```sql',
        'select "b0".*, "a1"."id" as "a1__id", "a1"."name" as "a1__name" from "author" as "b0" left join "publisher" as "a1" ' +
          'on "b0"."publisher_id" = "a1"."id" where "b0"."created_at" > ? and "a1"."id" in (?) order by "b0"."created_at" desc limit ?',
        '```',
        '',
        'Fix:',
        '',
        '```ts',
        "await em.find(Book, where, { populate: ['author'] }); // books.ts:38",
        '```',
        '',
        '',
      ].join('\n'),
    );
  });

  test.each([
    '## Findings (9)',
    '## Requests',
    '## Shapes',
    '## Pools',
    '## Nodes',
    '## Cache',
    '## Batches',
    '## Own cost',
  ])('has %s', heading => {
    expect(markdown.split('\n')).toContain(heading);
  });

  test('has a plan as a tree', () => {
    const from = markdown.indexOf('## Plans (4)');
    expect(markdown.slice(from, markdown.indexOf('\n```\n\n', from)).split('\n')).toEqual([
      '## Plans (4)',
      '',
      '`select "a0".* from "author" as "a0" where "a0"."publisher_id" = ? and "a0"."version" >= ?`, by analyze: 412 ms',
      '',
      '```',
      'Limit (412 ms, 20 rows of about 20)',
      '  Sort (409 ms, 4\u202f300 rows of about 180, Sort Key: b0.created_at DESC, Sort Space: Disk 8 MB)',
      '    ! It was sorted on disk: give it more work_mem, or an index in this order.',
      expect.stringMatching(/^ {4}Nested Loop \(3[56]\d ms, 4\u202f300 rows of about 180\)$/),
      '      Seq Scan on book (310 ms, 4\u202f300 rows of about 18, 175\u202f700 rows removed, Filter: (created_at > ?))',
      '        ! 175 700 rows were read and thrown away: an index on created_at would find the 4300.',
      '      Index Scan on author by author_pkey (22 ms, 1 rows of about 1, 4\u202f300 loops, Index Cond: (id = b0.author_id))',
    ]);
  });

  test('says the kind of a finding once', () => {
    const report = longReport({ findings: 1 });
    const told = {
      ...report,
      findings: report.findings.map(each => ({ ...each, title: 'N+1: 8 × select author by id' })),
    };
    expect(reportMarkdown(told)).toContain('\n### N+1: 8 × select author by id\n');
  });

  test('leaves out what is not there', () => {
    const without = reportMarkdown(longReport({ companions: false, findings: 0 }));
    expect(without).toContain('## Findings\n\nNone.\n');
    expect(without).not.toMatch(/## (?:Nodes|Cache|Batches)/);
  });

  test('says what is cut off', () => {
    expect(reportMarkdown(longReport({ findings: 30 }), { rows: 4 })).toContain('… and 26 more.');
  });

  test('a report of nothing', () => {
    const nothing = longReport({ shapes: 0, scopes: 0, records: 0, plans: 0, findings: 0, companions: false });
    expect(reportMarkdown({ ...nothing, pools: [], seconds: [] })).toMatch(
      /^# Queries\n\n0 queries in 0 scopes took 0 µs/,
    );
  });
});

/** Cells of a row, as GitHub's Markdown splits it: at each `|` that has no odd number of backslashes before it. */
function cells(row: string): string[] {
  return row.slice(1, -1).split(/(?<=(?<!\\)(?:\\\\)*)\|/);
}

const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.stringMatching(/^[`|\\*_<>[\]()#\n\r a-c]{0,40}$/),
);

describe('texts of strangers', () => {
  test('code in a line is one span on one line', () => {
    fc.assert(
      fc.property(anything, value => {
        const span = code(value);
        const fence = /^`+/.exec(span)![0];
        const inner = span.slice(fence.length, -fence.length);
        expect(span).not.toMatch(/[\n\r]/);
        // No run within is as long as the fence: it ends where it should.
        expect(Array.from(inner.matchAll(/`+/g), ([run]) => run)).not.toContain(fence);
        expect(span.endsWith(fence)).toBe(true);
      }),
    );
  });

  test('a table keeps its cells', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, anything), { minLength: 1, maxLength: 5 }), rows => {
        const lines = table(
          ['a', 'b'],
          rows.map(([one, two]) => [code(one), text(two)]),
        ).split('\n');
        expect(lines).toHaveLength(rows.length + 2);
        expect(lines.map(line => cells(line).length)).toEqual(lines.map(() => 2));
      }),
    );
  });

  test('a block ends where it should', () => {
    fc.assert(
      fc.property(anything, value => {
        const lines = block(value, 'sql').split('\n');
        const fence = lines[0]!.slice(0, -'sql'.length);
        expect(lines.at(-1)).toBe(fence);
        // Only a line that begins with a run at least as long would end it.
        expect(lines.slice(1, -1).some(line => line.trimStart().startsWith(fence))).toBe(false);
      }),
    );
  });

  test.each([
    ['<img src=x onerror=alert(1)>', '\\<img src=x onerror=alert(1)\\>'],
    ['[click](javascript:x)', '\\[click\\](javascript:x)'],
    ['*bold* _it_ `code` ~no~', '\\*bold\\* \\_it\\_ \\`code\\` \\~no\\~'],
    ['1. list', '1\\. list'],
    ['# heading\n- item', '\\# heading - item'],
    ['a\u0000\u202Eb', 'a␀⟨U+202E⟩b'],
    ['&lt;b&gt;', '\\&lt;b\\&gt;'],
  ])('%j is text', (value, expected) => {
    expect(text(value)).toBe(expected);
  });

  test('1 MB of every one of them is short', () => {
    const megabyte = '`|<\n'.repeat(262_144);
    expect([code(megabyte).length < 3000, text(megabyte).length < 3000, block(megabyte, 'sql').length < 5000]).toEqual([
      true,
      true,
      true,
    ]);
  });
});
