import type { TimingReport } from '@mikrokit/query-timing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clip } from '../../packages/query-timing/src/report/clip.ts';
import { bytes, duration, percent, short, whole } from '../../packages/query-timing/src/report/format.ts';
import { reportData, scopeData } from '../../packages/query-timing/src/report/json.ts';
import { fullPlace, shortPlace } from '../../packages/query-timing/src/report/place.ts';
import { visible } from '../../packages/query-timing/src/report/visible.ts';
import { longReport, siteOf } from './fixtures/long-report.ts';

const SPACE = '\u202f';

describe('times', () => {
  test.each([
    [0, '0 µs'],
    [0.4, '0.4 µs'],
    [850, '850 µs'],
    [999.4, '999 µs'],
    [999.6, '1 ms'],
    [3420, '3.42 ms'],
    [34_100, '34.1 ms'],
    [341_000, '341 ms'],
    [999_499, '999 ms'],
    [999_500, '1 s'],
    [3_410_000, '3.41 s'],
    [59_900_000, '59.9 s'],
    [60_000_000, '1 min'],
    [62_000_000, '1 min 2 s'],
    [3_600_000_000, '1 h'],
    [3_660_000_000, '1 h 1 min'],
    [-3420, '-3.42 ms'],
    [NaN, '–'],
    [null, '–'],
    [undefined, '–'],
  ])('%s µs is %s', (us, text) => {
    expect(duration(us)).toBe(text);
  });

  test('any is short, and none has more than four figures before its unit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), us => {
        expect(duration(us)).toMatch(
          /^(?:\d{1,3}(?:\.\d{1,2})? (?:µs|ms|s)|\d{1,2} min(?: \d{1,2} s)?|[\d\u202f]+ h(?: \d{1,2} min)?)$/,
        );
      }),
    );
  });
});

describe('numbers', () => {
  test.each([
    [whole(12_345_678), `12${SPACE}345${SPACE}678`],
    [whole(999), '999'],
    [short(12_345), `12${SPACE}345`],
    [short(123_456), '123 k'],
    [short(1_234_567), '1.23 M'],
    [short(2.5), '2.5'],
    [percent(0.215), '21.5 %'],
    [percent(1), '100 %'],
    [percent(0), '0 %'],
    [percent(0.000_2), '< 0.1 %'],
    [percent(NaN), '–'],
    [bytes(512), '512 B'],
    [bytes(6_400_000), '6.4 MB'],
    [bytes(999_700), '1 MB'],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });
});

describe('places', () => {
  test('short and whole, whatever the engine calls the file', () => {
    const site = { ...siteOf(0), file: 'file:///app/src/my%20books.ts' };
    expect([shortPlace(site), fullPlace(site)]).toEqual(['src/my books.ts:20', '/app/src/my books.ts:20:31']);
    expect(shortPlace({ ...site, file: 'file:///a%ZZ.ts' })).toBe('/a%ZZ.ts:20');
    expect(shortPlace({ ...site, file: 'C:\\app\\src\\books.ts' })).toBe('src/books.ts:20');
  });
});

describe('what cannot be seen', () => {
  test.each([
    ['a\u0000b\u001bc\u007f', 'a␀b␛c␡'],
    ['line\nand\ttab', 'line\nand\ttab'],
    ['\u202Eevil\u2066', '⟨U+202E⟩evil⟨U+2066⟩'],
    ['zero\u200Bwidth\uFEFF', 'zero⟨U+200B⟩width⟨U+FEFF⟩'],
    ['half \uD800', 'half ⟨U+D800⟩'],
    ['tag \u{E0041}', 'tag ⟨U+E0041⟩'],
    ['Grüße 書 😀', 'Grüße 書 😀'],
  ])('%j', (text, expected) => {
    expect(visible(text)).toBe(expected);
  });

  test('is never left', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const shown = visible(text);
        expect(shown.replace(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  test('is all that is changed', () => {
    fc.assert(fc.property(fc.stringMatching(/^[\p{L}\p{N}\p{P}\p{S} \n\t]*$/u), text => visible(text) === text));
  });
});

describe('clip()', () => {
  test('is never longer, never cuts a character in two, and is a beginning', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.integer({ min: 2, max: 30 }), (text, most) => {
        const clipped = clip(text, most);
        expect(clipped.length).toBeLessThanOrEqual(most);
        expect(clipped.isWellFormed()).toBe(text.isWellFormed());
        expect(clipped === text || (clipped.endsWith('…') && text.startsWith(clipped.slice(0, -1)))).toBe(true);
      }),
    );
  });
});

/** The same report, with every text replaced. */
function withTexts(report: TimingReport, text: string): TimingReport {
  const kept = new Set(['kind', 'severity', 'role', 'source']);
  const replaced = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') {
      return kept.has(key) ? value : text;
    }
    if (Array.isArray(value)) {
      return value.map(each => replaced(each, key));
    }
    return typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replaced(each, name)]))
      : value;
  };
  return replaced(report, '') as TimingReport;
}

function longestText(value: unknown): number {
  if (typeof value === 'string') {
    return value.length;
  }
  return typeof value === 'object' && value !== null
    ? Object.entries(value).reduce(
        (most, [name, each]) => Math.max(most, name.length, name === 'raw' ? 0 : longestText(each)),
        0,
      )
    : 0;
}

describe('JSON', () => {
  test('has the numbers of the report', () => {
    const report = longReport();
    const data = reportData(report);
    expect(data.totals).toEqual(report.totals);
    expect(data.findings).toEqual(report.findings);
    expect(data.plans).toEqual(report.plans);
    expect(data.shapes.map(({ worst, ...shape }) => shape)).toEqual(report.shapes.map(({ worst, ...shape }) => shape));
    expect(data.shapes[0]!.worst[0]).toMatchObject({
      shape: report.shapes[0]!.id,
      took: report.shapes[0]!.worst[0]!.took,
    });
  });

  test('a scope has its records, and each statement once', () => {
    const scope = longReport().scopes[0]!;
    const data = scopeData(scope);
    expect(data.records.map(({ shape, ...record }) => record)).toEqual(
      scope.records.map(({ shape, ...record }) => record),
    );
    expect(new Set(data.records.map(({ shape }) => shape))).toEqual(new Set(Object.keys(data.statements)));
    expect(data.statements[data.records[1]!.shape]!.text).toBe(scope.records[1]!.shape.text);
  });

  test('no text is long, whatever they were', () => {
    const report = withTexts(longReport({ shapes: 3, scopes: 2, plans: 2 }), 'x'.repeat(100_000));
    expect(longestText(JSON.parse(JSON.stringify(reportData(report))))).toBe(4096);
    expect(longestText(JSON.parse(JSON.stringify(scopeData(report.scopes[0]!))))).toBe(4096);
    expect(reportData(report).plans[0]!.raw).toHaveLength(100_000);
  });

  test('names of counts are bounded, and one called __proto__ is a name', () => {
    const report = {
      ...longReport(),
      own: {
        perQuery: 1,
        memory: 1,
        failures: 0,
        dropped: JSON.parse(`{"__proto__": 7, "${'x'.repeat(5000)}": 1}`) as Record<string, number>,
      },
    };
    const { dropped } = JSON.parse(JSON.stringify(reportData(report).own)) as { dropped: Record<string, number> };
    expect(Object.keys(dropped).map(name => name.length)).toEqual([9, 200]);
  });

  test('lists are bounded', () => {
    const long = longReport({ shapes: 1100, scopes: 210, records: 3, plans: 60, findings: 1010 });
    const data = reportData(long);
    expect([data.shapes.length, data.scopes.length, data.plans.length, data.findings.length]).toEqual([
      1000, 200, 50, 1000,
    ]);
    const scope = long.scopes[0]!;
    expect(scopeData({ ...scope, records: Array.from({ length: 900 }, () => scope.records[0]!) }).records).toHaveLength(
      500,
    );
  });
});
