import fc from 'fast-check';
import { fingerprintSync, loadModule } from 'libpg-query';
import { beforeAll, describe, expect, test } from 'vitest';
import { mask } from '../../packages/query-timing/src/sql/mask.ts';
import { placeholders } from '../../packages/query-timing/src/sql/placeholders.ts';
import { scan } from '../../packages/query-timing/src/sql/scan.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { CORPUS, OTHERS } from '../result-cache/sql/corpus.ts';
import { anyStatement } from '../result-cache/sql/random-sql.ts';

/*
 * The scanner against PostgreSQL's own parser, as libpg-query has it, whose fingerprint is blind to values, white space and
 * case: what is one to it is one shape, but for the differences that `scan()` lists. And against texts that are no SQL.
 */

const seed = 20_260_601;

beforeAll(async () => {
  await loadModule();
});

/** The parser's fingerprint; `undefined` of what is no SQL to it: it throws some of its errors, and returns others as text. */
function oracle(sql: string): string | undefined {
  try {
    const fingerprint = fingerprintSync(sql);
    return /^[\da-f]{16}$/.test(fingerprint) ? fingerprint : undefined;
  } catch {
    return undefined;
  }
}

const id = (sql: string): string => scan(sql).id;

/** Words, strings, names, comments, numbers, white space and single characters. */
const PIECES =
  /--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$\$[^$]*\$\$|"(?:[^"]|"")*"|\$\d+|[a-z_]\w*|\d[\w.]*|\s+|[^\s\w]/gi;

/** Statements of the corpus that the parser knows, and random ones. */
const statements = fc.oneof(
  { arbitrary: fc.constantFrom(...CORPUS, ...OTHERS), weight: 1 },
  { arbitrary: anyStatement, weight: 1 },
);
/** Picks, one after the other; they begin again when they are used up. */
const picks = fc.array(fc.nat({ max: 999 }), { minLength: 8, maxLength: 40 });

const NUMBERS = ['7', '0', '1.5', '.5', '1e5', '0x1F', '1_000', '123456789012345678901'];
const STRINGS = [
  "'z'",
  "''",
  "'it''s -- no /* comment'",
  "E'\\\'\\\\'",
  '$$ " $$',
  "$q$ '; $$ $q$",
  "'?'",
  "U&'d\\0061'",
];
const SPACES = [' ', '\n', ' \t\r\n ', ' /* from "z" /* \' */ */ ', ' -- where ?\n'];

/** Writes a statement otherwise, with other values. */
function disguised(sql: string, numbers: readonly number[]): string {
  let next = 0;
  const pick = (): number => numbers[next++ % numbers.length]!;
  const from = <T>(list: readonly T[]): T => list[pick() % list.length]!;
  const pieces = sql.match(PIECES) ?? [];
  const text = pieces
    .map(piece => {
      if (pick() % 3 === 0) {
        return piece;
      }
      if (/^\s|^--|^\/\*/.test(piece)) {
        return from(SPACES);
      }
      if (/^(?:[a-z_]\w*)$/i.test(piece)) {
        return pick() % 2 === 0 ? piece.toUpperCase() : piece.toLowerCase();
      }
      if (/^\d/.test(piece)) {
        return from(NUMBERS);
      }
      if (/^(?:[eE]?'|\$\$)/.test(piece)) {
        return from(STRINGS);
      }
      if (/^\$\d/.test(piece)) {
        return `$${(pick() % 20) + 1}`;
      }
      return /[(),]/.test(piece) ? `${pick() % 2 === 0 ? ' ' : ''}${piece}${pick() % 2 === 0 ? '\n' : ''}` : piece;
    })
    .join('')
    .replaceAll(/\b(in\s*\()(?=\s*[$\d'])/gi, list => (pick() % 2 === 0 ? `${list}1, 'b', ` : list))
    .replaceAll(/\bvalues\s*(\([^()]*\))/gi, (rows, row) => (pick() % 2 === 0 ? `${rows}, ${row}` : rows));
  return from([text, `${text};`, `-- a\n${text}`, `/* a */ ${text} /* b */ ;`, `;${text}`]);
}

/** Changes one piece, into something else or into nothing. */
function changed(sql: string, numbers: readonly number[]): string {
  const pieces = sql.match(PIECES) ?? [];
  const [where = 0, how = 0, what = 0] = numbers;
  const at = where % Math.max(pieces.length, 1);
  const others = [
    'a',
    'b',
    '"a"',
    '"x y"',
    'zz9',
    '+',
    '=',
    '<',
    '<>',
    '||',
    ',',
    '(',
    ')',
    'and',
    'or',
    'not',
    'null',
    '1',
    '.',
    'as',
  ];
  const piece = pieces[at] ?? '';
  const by = ['', `${piece} ${piece}`, others[what % others.length]!][how % 3]!;
  // What is grown together with its neighbour is no longer one piece.
  return [...pieces].with(at, ` ${by} `).join('');
}

describe('against the parser', () => {
  test('what is one statement to it, written otherwise, is one shape', () => {
    let compared = 0;
    fc.assert(
      fc.property(statements, picks, (sql, numbers) => {
        const other = disguised(sql, numbers);
        const known = oracle(sql);
        if (known !== undefined && known === oracle(other)) {
          compared++;
          expect(id(other), `${sql}\n${other}`).toBe(id(sql));
        }
      }),
      { seed, numRuns: 1_500 },
    );
    expect(compared).toBeGreaterThan(1_000);
  });

  test('what are two statements to it are two shapes', () => {
    let compared = 0;
    fc.assert(
      fc.property(statements, picks, (sql, numbers) => {
        // Of rows, the first one counts.
        fc.pre(!/\bvalues\b.*\),\s*\(/is.test(sql));
        const other = changed(sql, numbers);
        const [one, two] = [oracle(sql), oracle(other)];
        if (one !== undefined && two !== undefined && one !== two) {
          compared++;
          expect(id(other), `${sql}\n${other}`).not.toBe(id(sql));
        }
      }),
      { seed, numRuns: 6_000 },
    );
    expect(compared).toBeGreaterThan(300);
  });

  test('in the corpus, the shapes that are one to it differ in what scan() lists', () => {
    const known = [...CORPUS, ...OTHERS].filter(sql => oracle(sql) !== undefined);
    expect(known.length).toBeGreaterThan(200);
    const shapes = [...Map.groupBy(known, oracle).values()]
      .map(same => [...Map.groupBy(same, id).values()].map(([first]) => scan(first!).text))
      .filter(texts => texts.length > 1);
    expect(shapes).toMatchInlineSnapshot(`
      [
        [
          "select",
          "values (?)",
        ],
        [
          "select * from a",
          "select * from s.a",
          "select * from a *",
          "table a",
          "(select * from a)",
        ],
        [
          "select * from only a",
          "select * from only (a)",
          "table only s.a",
        ],
        [
          "select * from (a join b on a.id = b.id) join c on true",
          "select * from (a join b on a.id = b.id) as j join c on true",
        ],
        [
          "select interval ?, date ?, timestamp ?, numeric(?, ?) ? from a",
          "select ?::timestamptz, date ?, ? from a",
        ],
        [
          "select * from a where x = ?",
          "select * from a where x in (?)",
          "select * from a where ((x)) = ((?))",
        ],
        [
          "select * from a where (x = ? and (y = ?)) and z = ?",
          "select * from a where x = ? and y = ? and z =?",
          "select * from a where x = ?::int and y = ?::int and z = ?::text",
          "select * from a where x = ? and y = ?::uuid and z in (?)",
        ],
        [
          "select * from a where (x, y) = (?)",
          "select * from a where (x, y) in ((?))",
        ],
        [
          "select * from a where x = ? and y = ?",
          "select * from a where x = (?) and y = (?)",
        ],
        [
          "with x as (select * from a) select * from x",
          "with x as (select * from a) select * from x, s.x",
        ],
        [
          "insert into a select * from b",
          "insert into a (select * from b)",
          "insert into a table b",
        ],
        [
          "update a set x = ?",
          "update a * set x = ?",
        ],
        [
          "commit",
          "end",
        ],
        [
          "abort",
          "rollback",
        ],
      ]
    `);
  });
});

describe('any text', () => {
  const fragments = fc
    .array(
      fc.oneof(
        fc.constantFrom(...Array.from('()[]{}.,;:?\'"$*/-+=<>\\ \n\t\0|&@_')),
        fc.constantFrom(
          'select ',
          'from ',
          'values',
          'in',
          'any',
          'array',
          'with',
          'set',
          'case ',
          'null',
          'savepoint ',
        ),
        fc.constantFrom(
          '--',
          '/*',
          '*/',
          '$$',
          '$a$',
          "E'",
          "U&'",
          'U&"',
          "B'",
          '??',
          '\\?',
          '?|',
          '::',
          '1',
          '1e',
          '0x',
        ),
        fc.constantFrom('é', '😀', '\ud800'),
        fc.string({ unit: 'binary', maxLength: 4 }),
      ),
      { maxLength: 60 },
    )
    .map(parts => parts.join(''));

  test('is scanned: nothing throws, and what is told is bounded', () => {
    fc.assert(
      fc.property(fc.oneof(fragments, fc.string({ unit: 'binary', maxLength: 200 })), sql => {
        const scanned = scan(sql);
        expect(scanned.id).toMatch(/^[\da-f]{16}$/);
        expect(scanned.text.length).toBeLessThanOrEqual(4096);
        expect(scanned.summary.length).toBeLessThanOrEqual(255);
        expect(scanned.tables.length).toBeLessThanOrEqual(8);
        expect(scan(sql)).toEqual(scanned);
        expect(mask(sql)).toBe(mask(sql));
        expect(placeholders(sql).every(({ index }) => index >= 0)).toBe(true);
      }),
      { seed, numRuns: 10_000 },
    );
  });

  test('of a statement, nothing tells the secret that its values are', () => {
    const secrets = [
      "'secret'",
      "'it''s secret'",
      "E'\\'secret'",
      '$$secret$$',
      '$a$ $$ secret$a$',
      "U&'secret'",
      "'a'\n'secret'",
    ];
    let hidden = 0;
    fc.assert(
      fc.property(statements, fc.constantFrom(...secrets), picks, (sql, secret, numbers) => {
        const text = disguised(sql, numbers).replaceAll(/'z'|\b7\b|\b1\b/g, () => secret);
        if (oracle(text) !== undefined && text.includes('secret')) {
          hidden++;
          const { text: scanned, summary, tables } = scan(text);
          expect(`${scanned} ${summary} ${tables.join(' ')} ${mask(text)}`, text).not.toContain('secret');
        }
      }),
      { seed, numRuns: 2_000 },
    );
    expect(hidden).toBeGreaterThan(200);
  });
});

describe('1 MB takes about four times as long as 256 kB', () => {
  const NASTY = [
    '(',
    '((',
    '((1,',
    '(1,',
    '[',
    'array[1,',
    'in (1,a',
    'in (?,?),',
    '(?),',
    'values (1),(a),',
    'values (',

    '((1,2),(3,4)),',
    ')',
    '),(',
    '"a"(',
    "'",
    "''",
    "'''",
    "' ",
    '"',
    '""',
    '"" ',
    "E'\\\\",
    "E'\\'",
    "U&'",
    'U&"',

    '/*',
    '*/',
    '/*/',
    '/**/',
    '--',
    '--\r',
    '-- \n',
    '-',
    '- ',
    '-(',
    '$',
    '$$',
    '$a',
    '$a$',
    '$a$b',
    '$a$$a$',
    '$1',
    '$1 ',
    '1',
    '1.',
    '1e+',
    '0x',
    '.',
    '..',
    'a',
    'a ',
    'a.',
    "a'",
    'é',
    '😀',
    '\ud800',
    '\0',
    ' ',
    '\n',
    '?',
    '??',
    '?,',
    '?|',
    '\\',
    '\\?',
    ':',
    '::',
    ':a',
    '?::a',
    '?::a.a',
    ';',
    'a;',
    'savepoint a;',
    'null,',
    'from a,',
    'with a as (',
    'with a,',
    'select ',
    'case when ',
    'set a = ?,',
    '(a,b) = (?,?) and ',
    'as a ',
    'between ? and ',
    '? = a.',
    '<=>',
    '@-',
    'SubPlan 1 ',
    '::a(1)',
  ];
  test.for<[name: string, run: (sql: string) => unknown, start: string]>([
    ['scan', scan, ''],
    ['scan', scan, 'insert into a values (1), '],
    ['mask', mask, ''],
    ['placeholders', placeholders, ''],
  ])('%s() %#', { timeout: 180_000 }, ([, run, start]) => {
    for (const nasty of NASTY) {
      const long = start + nasty.repeat(2 ** 20 / nasty.length);
      const short = long.slice(0, 2 ** 18);
      let small = cpuTime(() => run(short));
      let large = cpuTime(() => run(long));
      // The least of several, as garbage is collected now and then. A square would be sixteen times.
      for (let round = 0; round < 8 && large > 8 * small + 10; round++) {
        small = Math.min(
          small,
          cpuTime(() => run(short)),
        );
        large = Math.min(
          large,
          cpuTime(() => run(long)),
        );
      }
      expect(large, `${JSON.stringify(nasty)}: ${small} ms, then ${large} ms`).toBeLessThanOrEqual(8 * small + 10);
    }
  });
});
