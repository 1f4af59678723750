import type { MikroORM } from '@mikro-orm/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  mergeAny,
  mergeExists,
  mergeGroup,
  mergeJoin,
  mergeLateral,
  mergeWindow,
} from '../../packages/batch-loader/src/shape/merged-statement.ts';
import { readStatement, type StatementText } from '../../packages/batch-loader/src/shape/statement-text.ts';
import { arrayLiteral, columnType, literalOf } from '../../packages/batch-loader/src/shape/values.ts';
import { openOrm } from '../harness/orm.ts';
import { Tag } from './library.ts';

/** The text that is put together from its pieces, with `?` for each value and `?…` for a list. */
function shown({ whole, slots }: StatementText): string {
  return whole.map(part => (typeof part === 'number' ? (slots[part]!.kind === 'list' ? '?…' : '?') : part)).join('');
}

const read = (sql: string, parameters = 1): StatementText => {
  const text = readStatement(sql, parameters);
  if ('reason' in text) {
    throw new Error(text.reason);
  }
  return text;
};
const reasonOf = (sql: string, parameters = 1): string | undefined => {
  const text = readStatement(sql, parameters);
  return 'reason' in text ? text.reason : undefined;
};

describe('a placeholder is a ? that is one for MikroORM and for PostgreSQL', () => {
  test.each([
    [`select 1 where a = 'it''s' and b = ?`, 1],
    [`select 1 where a = E'it\\'s' and b = ?`, 1],
    [`select 1 where a = $$it's$$ and b = ?`, 1],
    [`select 1 where a = $tag$ $$ ' $tag$ and b = ?`, 1],
    [`select "a ""b""" from t where b = ?`, 1],
    [`select /* a /* nested ' */ comment */ 1 where b = ?`, 1],
    [`select 1 where a \\? ? and b = ?`, 2],
    [`select 1 where a \\?| ? and b \\?& ?`, 2],
    [`select 1 where a @> ? and b -> 'c' ->> 'd' = ?`, 2],
    [`select 1 where a::text = ?::text`, 1],
  ])('%s', (sql, parameters) => {
    expect(shown(read(sql, parameters))).toBe(sql);
    expect(read(sql, parameters).slots).toHaveLength(parameters);
  });
});

describe('a statement is left alone', () => {
  const quoted = 'a ? stands in a literal, a quoted name or a comment';
  test.each([
    [`select 1 where a = 'why?' and b = ?`, 2, quoted],
    [`select "why?" from t where b = ?`, 2, quoted],
    [`select E'\\'?' where b = ?`, 2, quoted],
    [`select $a$?$a$ where b = ?`, 2, quoted],
    [`select /* ? */ 1 where b = ?`, 2, quoted],
    [`select 1 -- b\nwhere b = ?`, 1, 'it has a comment to the end of a line'],
    [`select 1 where b = ??`, 1, 'a parameter is an identifier'],
    [`select 1 where b = $1 and c = ?`, 1, 'it has numbered parameters of its own'],
    [`select 1 where b = ?; drop table t`, 1, 'it is more than one statement'],
    [`select 1 where c = ? and b = 'open`, 1, 'a literal does not end'],
    [`select 1 where c = ? and b = E'open\\'`, 1, 'a literal does not end'],
    [`select 1 where c = ? and b = "open`, 1, 'a literal does not end'],
    [`select 1 where c = ? and b = $a$ open`, 1, 'a literal does not end'],
    [`select 1 where c = ? /* open /* */`, 1, 'a comment does not end'],
    [`select (1 where c = ?`, 1, 'its parentheses do not match'],
    [`select 1) where c = ?`, 1, 'its parentheses do not match'],
    [`select 1 where c = ? for update`, 1, 'it locks rows'],
    [`select 1 into t where c = ?`, 1, 'it is not a plain select'],
    [`update t set a = ?`, 1, 'it is not a plain select'],
    [`with a as (select ?) select * from a`, 1, 'it is not a plain select'],
    [`select 1`, 0, 'it has no parameters'],
    [`select ?`, 2, 'its parameters do not match its placeholders'],
  ])('%s', (sql, parameters, reason) => {
    expect(reasonOf(sql, parameters)).toBe(reason);
  });
});

describe('lists', () => {
  test('of any length are one slot, and one shape', () => {
    const [one, three] = [
      read('select 1 from "t" as "t0" where "t0"."a" in (?) and "t0"."b" = ?', 2),
      read('select 1 from "t" as "t0" where "t0"."a" in (?, ?, ?) and "t0"."b" = ?', 4),
    ];
    expect(one.shape).toBe(three.shape);
    expect(three.slots).toEqual([
      { kind: 'list', first: 0, size: 3 },
      { kind: 'value', first: 3, size: 1 },
    ]);
    expect(shown(three)).toBe('select 1 from "t" as "t0" where "t0"."a" = any(?…) and "t0"."b" = ?');
  });

  test.each([
    ['select 1 from t where "a" not in (?, ?)', 2, 'select 1 from t where "a" <> all(?…)'],
    ['select 1 from t where (a || "b" in (?, ?))', 2, 'select 1 from t where (a || "b" in (?, ?))'],
    ['select 1 from t where ("a", "b") in ((?, ?), (?, ?))', 4, 'select 1 from t where ("a", "b") in ((?, ?), (?, ?))'],
    ['select 1 from t where "a" in (?, 1)', 1, 'select 1 from t where "a" in (?, 1)'],
    ['select f(?, ?)', 2, 'select f(?, ?)'],
  ])('%s', (sql, parameters, expected) => {
    expect(shown(read(sql, parameters))).toBe(expected);
  });
});

describe('clauses', () => {
  const clausesOf = (sql: string, parameters = 1): unknown => {
    const { clauses } = read(sql, parameters);
    return clauses && { limit: clauses.limit, offset: clauses.offset, where: clauses.where, orderBy: clauses.orderBy };
  };

  test('are cut at the outermost words', () => {
    expect(
      clausesOf(`select "a", 'from where' from "t" as "t0" where "b" = ? order by "limit" asc limit ? offset ?`, 3),
    ).toEqual({ where: [' "b" = ', 0, ' '], orderBy: [' "limit" asc '], limit: 1, offset: 2 });
  });

  test.each([
    ['distinct', 'select distinct a from t where b = ?'],
    ['group by', 'select a from t where b = ? group by a'],
    ['having', 'select a from t where b = ? having a > 1'],
    ['a union', 'select a from t where b = ? union select 1'],
    ['a window', 'select a from t where b = ? window w as ()'],
    ['an order by position', 'select a from t where b = ? order by 1'],
    ['a value in a subquery', 'select a from t where b in (select c from u where d = ?)'],
    ['a computed limit', 'select a from t limit ? + 1'],
    ['fetch first', 'select a from t where b = ? fetch first row only'],
  ])('that a rewrite does not keep: %s', (_, sql) => {
    expect(clausesOf(sql)).toBeUndefined();
  });

  test('fixed columns are those of conjuncts, in parentheses or not', () => {
    const { clauses, tables } = read(
      `select 1 from "s"."t" as "t0" where ("t0"."a" = ? and ("t0"."b" in (?, ?))) and ("t0"."c" = ? or "t0"."d" = ?) and not ("t0"."e" = ?) and "t0"."f" = ?`,
      7,
    );
    expect(clauses!.equalities.map(({ alias, column, list }) => [alias, column, list])).toEqual([
      ['t0', 'a', false],
      ['t0', 'b', true],
      ['t0', 'f', false],
    ]);
    expect([...tables]).toEqual([['t0', '"s"."t"']]);
  });
});

test.each([
  ['select 1 where a in (select b where c = ?) or d = ?', 2, [0]],
  ['select 1 where (a = ? or (b and c in (select d where e = ?)))', 2, [1]],
  ['select 1 where not (a and c in (select d where e = ?))', 1, [0]],
  ['select 1 where a not in (select b where c = ?) and b is not null', 1, []],
  ['select 1 where a in (select b where c = ? or d = ?)', 2, []],
  ['select 1 where a in (select b where c in (select d where "e" in (?, ?)) or d = ?)', 3, [0]],
  ['select 1 where a = ? or b = ?', 2, []],
])('values that all calls have to share, in subqueries beside an or: %s', (sql, parameters, fixed) => {
  expect(read(sql, parameters).fixed).toEqual(fixed);
});

const WORDS = [
  'select',
  'from',
  'where',
  'order by',
  'limit',
  '"t"."a" in (',
  '?',
  '?, ?',
  ')',
  '(',
  '(select',
  `'a''?'`,
  `'plain'`,
  '"q"',
  '"q?"',
  `E'\\'x'`,
  '$$ ? $$',
  '$t$ x $t$',
  '/* c */',
  '/* /* ? */ */',
  '\\?',
  '= ',
  'and',
  'or',
  '$1',
  ';',
  '-- x\n',
  ', ',
  '::int',
  'ü',
  '\ud800',
  '\\',
  `'`,
];

test('whatever the text, it is put together again from its pieces, or has a reason', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 25 }), fc.boolean(), (words, spaced) => {
      const sql = `select ${words.join(spaced ? ' ' : '')}`;
      const parameters = [...sql.matchAll(/(?<!\\)\?/g)].length;
      const text = readStatement(sql, parameters);
      if ('reason' in text) {
        expect(text.reason).toMatch(/^\w.+\w$/);
        return;
      }
      const again = text.whole
        .map((part, index) => {
          if (typeof part === 'string') {
            return part;
          }
          const { kind, size } = text.slots[part]!;
          const values = Array.from({ length: size }, () => '?').join(', ');
          const negated = kind === 'list' && (text.whole[index - 1] as string).endsWith('<> all(');
          return kind === 'list' ? `<<${negated ? 'not in (' : 'in ('}${values}` : values;
        })
        .join('')
        .replaceAll(/(?:= any\(|<> all\()<</g, '');
      expect(again).toBe(sql);
      expect(text.slots.reduce((sum, { size }) => sum + size, 0)).toBe(parameters);
      expect(text.slots.map(({ first }) => first)).toEqual(
        text.slots.map(({ first }) => first).toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 3_000 },
  );
});

describe('values', () => {
  let orm: MikroORM;
  beforeAll(async () => {
    orm = await openOrm({ entities: [Tag] });
  });

  test('an array of any strings is what PostgreSQL reads from its literal', async () => {
    const part = fc.oneof(
      fc.constantFrom(
        '',
        'NULL',
        'null',
        '{',
        '}',
        ',',
        '"',
        '\\',
        `'`,
        ' ',
        '\n',
        '?',
        '$1',
        '😀',
        '-0',
        '1.5',
        '01',
        '1e5',
      ),
      fc.string({ unit: 'binary' }).filter(text => !text.includes('\0') && text.isWellFormed()),
    );
    const lists = fc.array(fc.option(fc.array(part, { maxLength: 4 }).map(parts => parts.join(''))), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(lists, async list => {
        const [row] = await orm.em.getConnection().execute('select to_json(?::text[]) as "list"', [arrayLiteral(list)]);
        expect((row as { list: unknown }).list).toEqual(list);
      }),
      { numRuns: 300 },
    );
  });

  test('a number is typed as PostgreSQL types its literal', async () => {
    const numbers = fc.oneof(
      fc.constantFrom(0, -0, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53, 2 ** 63, -(2 ** 63), 1e21, 0.1),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    );
    const names: Record<string, string> = { int4: 'integer', int8: 'bigint', numeric: 'numeric' };
    await fc.assert(
      fc.asyncProperty(numbers, async number => {
        const [row] = await orm.em.getConnection().execute('select pg_typeof(?)::text as "type"', [number]);
        const literal = literalOf(number, String)!;
        expect(names[literal.class]).toBe((row as { type: string }).type);
        expect(Number(literal.text)).toBe(number + 0);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['text', 'text', { class: 'quoted', text: 'text' }],
    ['a bigint', 2n ** 70n, { class: 'quoted', text: String(2n ** 70n) }],
    ['a boolean', true, { class: 'bool', text: 'true' }],
    ['null', null, { class: 'null', text: null }],
    ['bytes', Buffer.from('00ff', 'hex'), { class: 'quoted', text: '\\x00ff' }],
    ['a Date', new Date(0), { class: 'quoted', text: '1970-01-01T00:00:00.000Z' }],
  ])('%s is the text that PostgreSQL reads it from', (_, value, expected) => {
    expect(literalOf(value, date => date.toISOString())).toEqual(expected);
  });

  test.each([['a\0b'], [NaN], [Infinity], [new Date(NaN)], [{}], [[1]], [undefined], [Symbol('s')]])(
    '%o cannot travel in an array',
    value => {
      expect(literalOf(value, String)).toBeUndefined();
    },
  );

  test('its own type decides, but for columns that any number is converted for', () => {
    expect(['int4', 'int8', 'numeric', 'bool', 'quoted'].map(own => columnType(own as 'int4', 'numeric'))).toEqual([
      'numeric',
      'numeric',
      'numeric',
      'bool',
      'numeric',
    ]);
    expect(['int4', 'numeric', 'quoted'].map(own => columnType(own as 'int4', 'real'))).toEqual([
      'int4',
      'numeric',
      'real',
    ]);
  });
});

describe('a merged statement', () => {
  const text = read(
    'select "t0"."id" from "t" as "t0" where "t0"."a" = ? and "t0"."b" = ? order by "t0"."c" limit ?',
    3,
  );
  const merge = {
    text,
    bindings: [
      { kind: 'column', name: 'a0' },
      { kind: 'constant', parameter: `it's ?` },
      { kind: 'column', name: 'a2' },
    ],
    columns: [
      { name: 'a0', type: 'int4', values: '{1,2}' },
      { name: 'a2', type: 'int8', values: '{3,4}' },
    ],
    calls: 2,
    rowCap: 11,
  } as const;
  const clauses = text.clauses!;
  const made = {
    lateral: mergeLateral(merge),
    join: mergeJoin(merge, clauses),
    window: mergeWindow(merge, clauses),
    group: mergeGroup(merge, clauses),
    exists: mergeExists(merge),
  };

  test.each(Object.entries(made))('%s has a ? for each parameter, and no value in its text', (_, { sql, params }) => {
    expect([...sql.matchAll(/\?/g)]).toHaveLength(params.length);
    expect(params.slice(0, 3).concat(params.at(-1))).toEqual(expect.arrayContaining(['{0,1}', '{1,2}']));
    expect(params).toContain(`it's ?`);
    expect(sql).not.toContain(`it's`);
  });

  test('is the same text however many calls it is for', () => {
    const more = { ...merge, calls: 3, columns: merge.columns.map(column => ({ ...column, values: '{1,2,3}' })) };
    expect(mergeLateral(more).sql).toBe(made.lateral.sql);
    expect(mergeWindow(more, clauses).sql).toBe(made.window.sql);
  });

  test('a key becomes = any(array), and tells whose a row is', () => {
    const keyed = read('select "t0"."id" from "t" as "t0" where "t0"."a" = ? and "t0"."b" = ?', 2);
    const { sql, params } = mergeAny(
      { ...merge, text: keyed, columns: [merge.columns[0]], rowCap: Infinity },
      keyed.clauses!,
      { slot: 0, alias: 't0', column: 'a' },
    );
    expect(sql).toBe(
      'select "t0"."a"::text as "_mk_tag", "t0"."id" from "t" as "t0" where "t0"."a" = any(?::int4[]) and "t0"."b" = ? order by "t0"."a"',
    );
    expect(params).toEqual(['{1,2}', `it's ?`]);
  });
});
