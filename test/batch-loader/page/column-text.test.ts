import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnText, timestampLiteral } from '../../../packages/batch-loader/src/page/column-text.ts';
import { openDatabase } from '../../harness/database.ts';
import { queryOnce } from '../../harness/pg-query.ts';

const textOf = (type: string, microsecondsOf: (date: Date) => number = () => 0) => columnText({ type, microsecondsOf });
const write = (type: string, value: unknown): string | undefined => textOf(type)!.write(value);

describe('a value has one text', () => {
  test.each<[string, unknown, string]>([
    ['int', 5, '5'],
    ['int', -0, '0'],
    ['smallint', '-32768', '-32768'],
    ['bigint', 9_223_372_036_854_775_807n, '9223372036854775807'],
    ['numeric(10,2)', '1.50', '1.50'],
    ['numeric(5)', 1.5, '1.5'],
    ['decimal', 'NaN', 'NaN'],
    ['real', 1.1, '1.1'],
    ['double precision', 0.1 + 0.2, '0.30000000000000004'],
    ['double precision', Number.NEGATIVE_INFINITY, '-Infinity'],
    ['boolean', false, 'false'],
    ['uuid', 'ABCDEF00-0000-4000-8000-000000000000', 'abcdef00-0000-4000-8000-000000000000'],
    ['date', '2024-02-29', '2024-02-29'],
    ['time(0)', '23:59:59', '23:59:59'],
    ['timestamptz', new Date(1), '1970-01-01T00:00:00.001000Z'],
    ['timestamp(3) without time zone', '2024-02-29 00:00:00.5', '2024-02-29 00:00:00.5'],
    ['character varying(9)', "it's", "it's"],
    ['text', '', ''],
  ])('%s: %o', (type, value, text) => {
    expect(write(type, value)).toBe(text);
    expect(write(type, text)).toBe(text);
  });

  test('with the microseconds that a Date does not have', () => {
    expect(textOf('timestamptz', () => 7)!.write(new Date(-1))).toBe('1969-12-31T23:59:59.999007Z');
  });
});

describe('what no value of the type is', () => {
  test.each<[string, unknown]>([
    ['smallint', 32_768],
    ['int', 1.5],
    ['int', '1.0'],
    ['int', ' 1'],
    ['int', '+1'],
    ['int', '01'],
    ['int', true],
    ['int', {}],
    ['bigint', 2 ** 53],
    ['bigint', '9223372036854775808'],
    ['numeric', ''],
    ['numeric', '1.'],
    ['numeric', '0x1'],
    ['numeric', '1_000'],
    ['numeric', '1e9999'],
    ['numeric', '1'.repeat(1_001)],
    ['real', 1e39],
    ['real', 1e-46],
    ['double precision', '1e400'],
    ['double precision', '1.10'],
    ['double precision', 'nan'],
    ['boolean', 't'],
    ['boolean', 1],
    ['uuid', 'abcdef00'],
    ['uuid', '{abcdef00-0000-4000-8000-000000000000}'],
    ['date', '2023-02-29'],
    ['date', '2023-13-01'],
    ['date', '0000-01-01'],
    ['date', 'today'],
    ['date', new Date(0)],
    ['time', '24:00:01'],
    ['time', 'now'],
    ['timestamptz', new Date(Number.NaN)],
    ['timestamptz', new Date(Date.UTC(10_000, 0))],
    ['timestamptz', 'now'],
    ['timestamptz', '2023-02-29T00:00:00.000000Z'],
    ['timestamptz', '2023-02-28 24:00:01+00'],
    ['timestamptz', '2023-02-28 00:00:00+15:60'],
    ['timestamptz', 0],
    ['text', 'a\0b'],
    ['text', '\udc00'],
    ['text', 5],
  ])('%s: %o', (type, value) => {
    expect(write(type, value)).toBeUndefined();
  });

  test('an enum has its items and no others', () => {
    const kind = columnText({ type: 'kind', items: ['a', 'b'], microsecondsOf: () => 0 })!;
    expect(['a', 'b', 'c', 'toString', 0].map(value => kind.write(value))).toEqual([
      'a',
      'b',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test.each(['jsonb', 'text[]', 'bytea', 'interval', 'inet', 'tsvector', 'timetz', 'money', 'constructor'])(
  'no text of %s',
  type => {
    expect(textOf(type)).toBeUndefined();
  },
);

describe('PostgreSQL', () => {
  const TYPES = [
    'smallint',
    'int',
    'bigint',
    'numeric',
    'real',
    'double precision',
    'boolean',
    'uuid',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'text',
  ];
  const digits = fc.stringMatching(/^-?\d{1,25}(?:\.\d{1,25})?(?:e[+-]\d{1,3})?$/);
  const words = fc.stringMatching(
    /^[-+]?(?:\d{1,6}-\d\d-\d\d)?[T ]?(?:\d\d:\d\d:\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d(?::\d\d)?)?$/,
  );
  const anything = fc.oneof(
    digits,
    words,
    fc.uuid(),
    fc.double().map(String),
    fc.bigInt().map(String),
    fc.date().map(date => (Number.isNaN(date.getTime()) ? '' : date.toISOString().replace('Z', '007Z'))),
    fc.constantFrom('true', 'false', 'infinity', '-infinity', 'Infinity', '-Infinity', 'NaN', '24:00:00'),
    fc.string({ unit: 'binary' }),
  );

  test('reads every text there is, of 4 000', async () => {
    const { url } = await openDatabase();
    let read = 0;
    for (const type of TYPES) {
      const texts = fc.sample(anything, 4_000).filter(value => write(type, value) === value);
      // Each in a statement of its own would take long; pg_input_is_valid would ask the same function without an error.
      const rows = await queryOnce<{ text: string }>(
        url,
        `select t.text from unnest($1::text[]) t(text) where not pg_input_is_valid(t.text, '${type}')`,
        [texts],
      );
      expect(rows, type).toEqual([]);
      read += texts.length;
    }
    expect(read).toBeGreaterThan(4_000);
  });
});

describe("a timestamp's literal", () => {
  const text = '2024-01-01T00:00:00.123456Z';

  test.each<[string, string | undefined, string]>([
    ['timestamptz(6)', '+03:30', text],
    ['timestamp with time zone', undefined, text],
    ['timestamp', 'Z', '2024-01-01T00:00:00.123456'],
    ['timestamp', '+03:30', '2024-01-01T03:30:00.123456'],
    ['timestamp(6) without time zone', '-0100', '2023-12-31T23:00:00.123456'],
  ])('%s, ORM in %s', (type, timezone, literal) => {
    expect(timestampLiteral(text, type, timezone)).toBe(literal);
  });

  test("in the process's time zone, also where that has seconds", () => {
    const own = process.env['TZ'];
    process.env['TZ'] = 'Asia/Kolkata';
    const literals = [text, '1850-01-01T00:00:00.123456Z'].map(it => timestampLiteral(it, 'timestamp', undefined));
    process.env['TZ'] = own ?? '';
    expect(literals).toEqual(['2024-01-01T05:30:00.123456', '1850-01-01T05:53:28.123456']);
  });

  test('is left as PostgreSQL wrote it', () => {
    expect(timestampLiteral('2024-01-01 00:00:00.5+00', 'timestamp', '+03:30')).toBe('2024-01-01 00:00:00.5+00');
    expect(timestampLiteral('infinity', 'timestamp', '+03:30')).toBe('infinity');
  });
});
