import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conditions, sortColumn } from '../../packages/query-timing/src/plans/conditions.ts';
import { cpuTime } from '../harness/cpu-time.ts';

/* What an expression of a plan compares, as PostgreSQL writes it and with its values masked. */

function told(expression: string): string[] {
  return conditions(expression).map(({ column, kind, other }) =>
    [name(column), kind, ...(other ? [name(other)] : [])].join(' '),
  );
}

function name({ alias, column }: { readonly alias: string | undefined; readonly column: string }): string {
  return alias === undefined ? column : `${alias}.${column}`;
}

describe('conditions', () => {
  test.each([
    ['(b0.author_id = 5)', ['b0.author_id equality']],
    ['(b0.author_id = ?)', ['b0.author_id equality']],
    ['(author_id = $1)', ['author_id equality']],
    ["((b0.email)::text = 'x'::text)", ['b0.email equality']],
    ['((b0.email)::text = ?::text)', ['b0.email equality']],
    ["((b0.code)::character varying(20) = 'x'::character varying)", ['b0.code equality']],
    ["(b0.id = ANY ('{1,2,3}'::integer[]))", ['b0.id equality']],
    ['(b0.id = ANY (?::integer[]))', ['b0.id equality']],
    ['(b0.id = ANY (ARRAY[?, $1]))', ['b0.id equality']],
    ['(b0.created_at > (now() - ?::interval))', ['b0.created_at range']],
    ['((b0.price >= ?::numeric) AND (b0.price <= ?::numeric))', ['b0.price range', 'b0.price range']],
    ["(b0.at < '2020-01-01 00:00:00+00'::timestamp with time zone)", ['b0.at range']],
    ['(b0.deleted_at IS NULL)', ['b0.deleted_at null']],
    ['(b0.deleted_at IS NOT NULL)', ['b0.deleted_at not null']],
    ['b0.published', ['b0.published flag']],
    ['(NOT b0.published)', ['b0.published flag']],
    ['(b0.title ~~ ?::text)', ['b0.title pattern']],
    ['(a.id = b.author_id)', ['a.id equality b.author_id']],
    ['(? = b0.author_id)', ['b0.author_id equality']],
    ['("b 0"."author""id" = 5)', ['b 0.author"id equality']],
    ['(b0.author_id = (InitPlan 1).col1)', ['b0.author_id equality']],
    [
      '((b0.deleted_at IS NULL) AND (b0.title ~~ ?::text) AND (b0.author_id = ?) AND (b0.created_at > ?))',
      ['b0.deleted_at null', 'b0.title pattern', 'b0.author_id equality', 'b0.created_at range'],
    ],
    ['((b0.a = ?) AND ((b0.b = ?) OR (b0.c = ?)))', ['b0.a equality']],
  ])('%s', (expression, expected) => {
    expect(told(expression)).toEqual(expected);
  });

  test.each([
    ['what is joined by OR', '((b0.a = ?) OR (b0.b = ?))'],
    ['a function around the column', '(lower(b0.email) = ?)'],
    ['arithmetic with the column', '((b0.price * ?) = ?)'],
    ['a cast to what an index does not find', '((b0.created_at)::date = ?::date)'],
    ['a cast around a cast', '(((b0.created_at)::date)::text = ?::text)'],
    ['a subplan', '(ANY (b0.id = (hashed SubPlan 1).col1))'],
    ['another operator', '(b0.tags @> ?::text[])'],
    ['unequal', '(b0.a <> ?)'],
    ['nothing', ''],
  ])('%s is passed over', (_what, expression) => {
    expect(told(expression)).toEqual([]);
  });

  test('whatever it is given, it answers, and in no time', () => {
    const pieces = [
      '(',
      ')',
      ' AND ',
      ' OR ',
      'a.b',
      '=',
      '?',
      '"',
      "'",
      '::',
      ' IS NULL',
      'NOT ',
      'ANY',
      '.',
      ',',
      '[',
      '…',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 60 }), parts => {
        expect(Array.isArray(conditions(parts.join('')))).toBe(true);
        sortColumn(parts.join(''));
      }),
      { seed: 6, numRuns: 2_000 },
    );
    expect(told(`${'('.repeat(900)}a.b = ?${')'.repeat(900)}`)).toEqual(['a.b equality']);
    expect(told(`(${'('.repeat(900)}a.b${')'.repeat(900)} = ?)`)).toEqual(['a.b equality']);
    for (const piece of [...pieces, '(a.b = (', '(a AND (', 'f((', '(a)::text)']) {
      expect(
        cpuTime(() => conditions(piece.repeat(Math.ceil(2_000 / piece.length)))),
        piece,
      ).toBeLessThan(1_000);
    }
  });
});

describe('sort keys', () => {
  test.each([
    ['b0.created_at', { alias: 'b0', column: 'created_at', descending: false, nullsFirst: false }],
    ['created_at DESC', { alias: undefined, column: 'created_at', descending: true, nullsFirst: true }],
    ['b0.a DESC NULLS LAST', { alias: 'b0', column: 'a', descending: true, nullsFirst: false }],
    ['b0.a NULLS FIRST', { alias: 'b0', column: 'a', descending: false, nullsFirst: true }],
    ['"B"."x y"', { alias: 'B', column: 'x y', descending: false, nullsFirst: false }],
  ])('%s', (key, expected) => {
    expect(sortColumn(key)).toEqual(expected);
  });

  test.each(['lower(b0.a)', 'b0.a COLLATE "C"', 'b0.a USING ~<~', '(b0.a + ?)', '((b0.a)::text)', ''])(
    '%j is none',
    key => {
      expect(sortColumn(key)).toBeUndefined();
    },
  );
});
