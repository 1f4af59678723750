import fc from 'fast-check';
import { loadModule, scanSync } from 'libpg-query';
import { beforeAll, describe, expect, test } from 'vitest';
import { tokenize } from '../../../packages/result-cache/src/sql/tokens.ts';
import { CORPUS, OTHERS } from './corpus.ts';
import { anyStatement } from './random-sql.ts';

beforeAll(async () => {
  await loadModule();
});

/** White space and no more, or what begins a comment. */
const GAP = /^[ \t\n\r\f\v]*(?:$|--|\/\*)/;

const shown = (sql: string): string =>
  tokenize(sql)
    .list.map(({ kind, text }) => (kind === text ? kind : `${kind}:${text}`))
    .join(' ');

describe('tokens', () => {
  test.each([
    ['Select É aÉ', 'word:select word:É word:aÉ'],
    ['a.From b as Where c', 'word:a . label:from word:b word:as label:where word:c'],
    ['"a""b" "É" ""', 'name:a"b name:É name:'],
    ["'it''s' '' 'a\\'", "string:it's string: string:a\\"],
    ["'a'\n'b'", 'odd:'],
    ["'a' -- c\n  -- d\n 'b' 'c'", 'odd: string:c'],
    ["'a' 'b'", 'string:a string:b'],
    ["e'a\\'b' E'\\\\' E'it''s'", "string:a'b string:\\ string:it's"],
    ["E'\\n' E'\\x41'", 'odd: odd:'],
    ["E'a'\n'b\\'c'", 'odd:'],
    ["B'1' x'1F' N'n' U&'\\0061' u&\"b\" U & 'c'", 'odd: odd: string:n odd: blank: word:u operator:& string:c'],
    ["$$it's$$ $a$ $$ $a$ $ü$x$ü$", "string:it's string: $$  string:x"],
    ['a$b$c $1 $12', 'word:a$b$c parameter:0 parameter:11'],
    ['$1$2', 'parameter:0 parameter:1'],
    ['? \\? ?? a', 'parameter:0 operator:? blank:?? word:a'],
    ["a \\?| b ?||'x'", 'word:a operator:? operator:| word:b parameter:0 operator:|| string:x'],
    [
      '1 1.5 .5 1. 1e5 1E-5 0x1F 0o17 0b01 1_000',
      'number:1 number:1.5 number:.5 number:1. number:1e5 number:1E-5 number:0x1F number:0o17 number:0b01 number:1_000',
    ],
    ['1..2 a[1:2]', 'number:1 operator:.. number:2 word:a [ number:1 operator:: number:2 ]'],
    ['a::int b:=c d=>e', 'word:a operator::: word:int word:b operator::= word:c word:d operator:=> word:e'],
    [
      'a=-5 b<=-c d@-e',
      'word:a operator:= operator:- number:5 word:b operator:<= operator:- word:c word:d operator:@- word:e',
    ],
    ['a=--b\nc/*d/*e*/f*/g*/*h*/i', 'word:a operator:= word:c word:g operator:* word:i'],
    ["'a", 'broken:'],
    ['"a', 'broken:'],
    ['/* /* */', 'broken:'],
    ['$a$ $b$', 'broken:'],
    ['{', 'broken:'],
    [`"${'x'.repeat(70)}"`, `name:${'x'.repeat(63)}`],
    [`"${'é'.repeat(40)}"`, `name:${'é'.repeat(31)}`],
  ])('%s', (sql, expected) => {
    expect(shown(sql)).toBe(expected);
  });

  test('a placeholder within quotes makes the others doubtful', () => {
    expect(tokenize("select 'a?' where b = ?").doubtful).toBe(true);
    expect(tokenize('select "a?" where b = ?').doubtful).toBe(true);
    expect(tokenize('select 1 /* ? */ where b = ?').doubtful).toBe(true);
    expect(tokenize('select 1 -- ?\n where b = ?').doubtful).toBe(true);
    expect(tokenize('select $$?$$ where b = ?').doubtful).toBe(true);
    expect(tokenize("select 'a\\?' where b = ?").doubtful).toBe(false);
    expect(tokenize("select 'a?' where b = 'c?'").doubtful).toBe(false);
    expect(tokenize("select 'a' where b = ? and c = 'd'").doubtful).toBe(false);
  });

  test('are where they say, with nothing but white space and comments between', () => {
    const pieces = fc.constantFrom(
      "'",
      '"',
      '$$',
      '$a$',
      'E',
      'u&',
      '/*',
      '*/',
      '--',
      '\n',
      ' ',
      '?',
      '\\',
      'a',
      '1',
      '.',
      '=',
      '-',
      '+',
      '(',
      ')',
      ';',
      'é',
      '::',
      '$1',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          anyStatement,
          fc.array(pieces, { maxLength: 40 }).map(list => list.join('')),
          fc.string({ unit: 'binary' }),
        ),
        sql => {
          let at = 0;
          for (const { kind, text, start, end } of tokenize(sql).list) {
            expect(start).toBeGreaterThanOrEqual(at);
            expect(end).toBeGreaterThan(start);
            expect(sql.slice(at, start)).toMatch(GAP);
            if (kind === 'word' && /^[\w$]*$/.test(text) && end - start < 64) {
              expect(sql.slice(start, end).toLowerCase()).toBe(text);
            }
            at = end;
          }
          expect(sql.slice(at)).toMatch(GAP);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([...CORPUS, ...OTHERS])('end where those of PostgreSQL do: %s', sql => {
    // Its offsets count bytes.
    const bytes = Buffer.from(sql);
    const theirs = scanSync(sql)
      .tokens.filter(({ tokenName }) => !tokenName.endsWith('COMMENT'))
      .map(({ start, end }) => bytes.toString('utf8', start, end));
    const ours = tokenize(sql).list.map(({ start, end }) => sql.slice(start, end));
    expect(ours).toEqual(theirs);
  });

  test('takes time in proportion to the length', () => {
    const nasty = [
      "'",
      "''",
      "'a'\n",
      '"',
      '""',
      '$',
      '$a',
      '$a$',
      '$$',
      '/*',
      '/**/',
      '/*/',
      '--',
      '--\n',
      '-',
      '+',
      '=-',
      '1',
      '1_',
      '1.',
      '.',
      'e',
      "e'\\",
      'é',
      'É',
      '\\',
      '?',
      '\\?',
      "'?",
      '(',
      '[',
      ' ',
      '\n',
      "'a' \n --b\n",
      '::',
      'a.',
      '@-',
      '{',
    ];
    for (const piece of nasty) {
      const sql = piece.repeat(1_000_000 / piece.length);
      const start = performance.now();
      for (const text of [sql, `${sql}?`, `? ${sql}`]) {
        tokenize(text);
      }
      expect(performance.now() - start, piece).toBeLessThan(4_000);
    }
  });
});
