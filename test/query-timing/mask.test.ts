import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mask } from '../../packages/query-timing/src/sql/mask.ts';

/* Expressions of plans, and statements in errors, without values; all else stays as it was written. */

describe('values become ?', () => {
  test.for([
    ["(email = 'x'::text)", '(email = ?::text)'],
    ['(id = 7)', '(id = ?)'],
    [
      "((price > 5.5) AND (born < '2020-01-01'::date) OR (n = '-5'::integer))",
      '((price > ?) AND (born < ?::date) OR (n = ?::integer))',
    ],
    ["(id = ANY ('{1,2,3}'::integer[]))", '(id = ANY (?::integer[]))'],
    ['(data @> \'{"a": "it\'\'s"}\'::jsonb)', '(data @> ?::jsonb)'],
    ["(name ~~ E'a\\\\b\\'c%'::text)", '(name ~~ ?::text)'],
    ['generate_series(1, 1000000)', 'generate_series(?, ?)'],
    ["ts > (now() - '1 day'::interval)", 'ts > (now() - ?::interval)'],
    ["ROW('a'::text, 1, B'101'::\"bit\", '\\xff'::bytea)", 'ROW(?::text, ?, ?::"bit", ?::bytea)'],
    [
      "select 'a' 'b', $$c$$, $x$ d $$ $x$, N'e', U&'f' uescape '!', 1e5, 0xff, .5, -1",
      'select ? ?, ?, ?, ?, ? uescape ?, ?, ?, ?, -?',
    ],
    ['a[1:2]', 'a[?:?]'],
    ['(x = 550e8400-e29b-41d4-a716-446655440000)', '(x = ?-e29b-?-a716-?)'],
  ])('%s', ([text, masked]) => {
    expect(mask(text!)).toBe(masked);
  });
});

describe('stays as it is', () => {
  test.for([
    '',
    '(b0.author_id = a1.id)',
    '"Book"."a ""1"" \'x\'" = "2"',
    '(id = $1) AND (x = $23) AND (y = ?) AND (?? IS NOT NULL)',
    'col2 + _3 + a$4 + été5',
    '((price)::numeric(10,2))',
    '(a)::character varying(20) || b::"s"."t" || c::double precision || d::varchar (5)',
    'ts::timestamp(3) without time zone',
    '(x IS NULL) OR (NOT active) OR (y = true)',
    '(NOT (hashed SubPlan 1)) AND (alternatives: SubPlan 2 or hashed SubPlan 3) AND (InitPlan 4).col1',
    'select\n\t* from  a; ',
    'data \\? $1 and b ?| c',
    'x:y, :name, =:, ::',
  ])('%j', text => {
    expect(mask(text)).toBe(text);
  });
});

describe('goes', () => {
  test.for([
    ["select 1 -- it's 5\n+ /* 'a' /* nested */ */ x", 'select ? + x'],
    ['a/* 1 */b\n\tc', 'a b\n\tc'],
    ['x /* 5', 'x '],
    ["x = 'secret", 'x = ?'],
    ["x = E'secret\\'", 'x = ?'],
    ['x = $$secret', 'x = ?'],
    ['x = "secret', 'x = ?'],
    ['SubPlan 4111111111111111', 'SubPlan ?'],
    ['SubPlan 1.5', 'SubPlan ?'],
    ['x::numeric(123456)', 'x::numeric(?)'],
    ['x::"5"(6), y::(7), f(8)', 'x::"5"(6), y::(?), f(?)'],
    ["x::'secret'", 'x::?'],
    ['$123456', '?'],
  ])('%j', ([text, masked]) => {
    expect(mask(text!)).toBe(masked);
  });
});

describe('of any expression', () => {
  /** A value that nothing else looks like, in all the ways there are to write it. */
  const value = fc
    .integer({ min: 100_000, max: 999_999 })
    .chain(number =>
      fc.constantFrom(
        `${number}`,
        `-${number}.5`,
        `.${number}`,
        `${number}e-3`,
        `'${number}'`,
        `'it''s ${number}'`,
        `E'\\'${number}\\\\'`,
        `$$${number}'$$`,
        `$a$${number}$b$$a$`,
        `U&'\\0061${number}'`,
        `B'${number}'`,
        `'${number}`.concat("'::text"),
        `'{${number},"a"}'::int[]`,
      ),
    );
  const kept = fc.constantFrom(
    'a',
    '"b c"',
    'col2',
    '"it\'s 7"',
    '$1',
    '?',
    'null',
    'f(x)',
    'x::numeric(10,2)',
    'y::"t"',
    'SubPlan 1',
  );
  const gap = fc.constantFrom(' ', ' = ', ' AND ', ', ', '\n', ' || ', ') (', ' + ');
  const expression = fc
    .array(fc.tuple(fc.oneof(value, kept), gap), { minLength: 1, maxLength: 12 })
    .map(parts => parts.flat().join(''));

  test('no value survives', () => {
    fc.assert(
      fc.property(expression, text => {
        expect(mask(text)).not.toMatch(/\d{6}/);
      }),
      { numRuns: 5_000 },
    );
  });

  test('what is no value does, in its place', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(kept, gap)), parts => {
        const text = parts.flat().join('');
        expect(mask(text)).toBe(text);
      }),
    );
  });

  test('once is enough', () => {
    fc.assert(
      fc.property(expression, text => {
        expect(mask(mask(text))).toBe(mask(text));
      }),
    );
  });
});
