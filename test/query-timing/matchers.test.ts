import { join, relative } from 'node:path';
import { AssertionError } from 'node:assert';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { EntityManager, Kysely } from '@mikro-orm/postgresql';
import {
  assertQueries,
  type ExpectedQueries,
  queriesOf,
  queryMatchers,
  type QueryMatchers,
  recordQueries,
} from '@mikrokit/query-timing/vitest';
import { beforeAll, describe, expect, test } from 'vitest';
import { authorNames, failingQuery, listBooks, listBooksAtOnce, renameTag } from './fixtures/listings.ts';
import { Author, Library, Tag, type Timed } from './fixtures/library.ts';

let library: Library;
let timed: Timed;
beforeAll(async () => {
  library = await Library.open();
  timed = await library.timed({ environment: 'test', callSites: { sample: 1 }, slow: 60_000 });
  expect.extend(queryMatchers(timed.timing));
});
const fork = (): EntityManager => timed.orm.em.fork() as EntityManager;
const kysely = (): Kysely<{ author: { id: number } }> => fork().getKysely();

/** What an assertion says that fails; but of what else would mend it. */
async function said(assertion: Promise<unknown>): Promise<string> {
  try {
    await assertion;
  } catch (error) {
    return (error as Error).message.replace(/ — or register .*/, '');
  }
  throw new Error('It has not failed');
}

// As it is told: from where the run was begun, which is not the same folder for everybody.
const FILE = relative(process.cwd(), join(import.meta.dirname, 'fixtures/listings.ts'));
const BOOKS = 'select "b0".* from "book" as "b0" order by "b0"."id" asc';
const AUTHOR = 'select "a0".* from "author" as "a0" where "a0"."id" = ? limit ?';
const LISTED = [
  `  1 × ${BOOKS}  ${FILE}:8 in listBooks`,
  `  4 × ${AUTHOR}  ${FILE}:11 in listBooks`,
  `      N+1: select author by id, for the 12 books read at listings.ts:8`,
  `      fix: em.find(Book, …, { populate: ['author'] })  // listings.ts:8`,
];
const NONE =
  '. Only those count that the function waits for, and that are made by the ORM whose `extensions` have this timing.';

describe('toRunQueries(n)', () => {
  test('is true of as many queries', async () => {
    await expect(() => listBooks(fork())).toRunQueries(5);
    await expect(() => listBooksAtOnce(fork())).toRunQueries(2);
    await expect(() => undefined).toRunQueries(0);
    await expect(() => listBooks(fork())).not.toRunQueries(2);
  });

  test('fails with what was run, how often, where, and what would mend it', async () => {
    const message = await said(expect(() => listBooks(fork())).toRunQueries(2));
    expect(message).toBe(['expected 2 queries, but 5 were run:', ...LISTED].join('\n'));
  });

  test('fails of one', async () => {
    expect(await said(expect(() => authorNames(fork())).toRunQueries(0))).toBe(
      `expected 0 queries, but 1 was run:\n  1 × select "a0".* from "author" as "a0"  ${FILE}:40 in authorNames`,
    );
  });

  test('fails of none, and says why there may be none', async () => {
    expect(await said(expect(() => 7).toRunQueries(1))).toBe(`expected 1 query, but none was run${NONE}`);
  });

  test('fails with not', async () => {
    expect(await said(expect(() => authorNames(fork())).not.toRunQueries(1))).toBe(
      'expected another number than 1 query, but 1 was run:\n' +
        `  1 × select "a0".* from "author" as "a0"  ${FILE}:40 in authorNames`,
    );
  });

  test('counts queries that fail', async () => {
    expect(await said(expect(() => failingQuery(fork())).toRunQueries(0))).toBe(
      `expected 0 queries, but 1 was run:\n  1 × select ? / ?  (1 failed)  ${FILE}:32 in failingQuery`,
    );
  });

  test('counts those of em.getKysely(), of streams, and in parallel', async () => {
    await expect(() => kysely().selectFrom('author').selectAll().execute()).toRunQueries(1);
    await expect(async () => {
      for await (const author of fork().stream(Author, {})) {
        void author;
      }
    }).toRunQueries(1);
    await expect(() => Promise.all([authorNames(fork()), authorNames(fork()), listBooks(fork())])).toRunQueries(7);
  });

  test('counts those of scopes that were opened within, with their findings', async () => {
    const nested = (): Promise<unknown> => timed.timing.run('GET /books', () => listBooks(fork()));
    const message = await said(expect(nested).toRunQueries(2));
    expect(message).toBe(['expected 2 queries, but 5 were run:', ...LISTED].join('\n'));
  });

  test('counts each only once, whatever runs at the same time', async () => {
    const other = authorNames(fork());
    await Promise.all([
      expect(() => listBooksAtOnce(fork())).toRunQueries(2),
      expect(() => listBooks(fork())).toRunQueries(5),
      expect(() => other).toRunQueries(0),
    ]);
  });

  test('leaves nothing behind that listens', async () => {
    const before = timed.timing.report().own.failures;
    const run = await recordQueries(timed.timing, () => authorNames(fork()));
    await listBooks(fork());
    expect(run.count).toBe(1);
    expect(timed.timing.report().own.failures).toBe(before);
  });
});

describe('transaction control', () => {
  let name = 0;
  const rename = (): Promise<void> => renameTag(fork(), `name ${++name}`);

  test('is not counted', async () => {
    expect(await said(expect(rename).toRunQueries(1))).toBe(
      [
        'expected 1 query, but 2 were run:',
        `  1 × select "t0".* from "tag" as "t0" where "t0"."id" = ? limit ?  ${FILE}:25`,
        `  1 × update "tag" set "name" = ? where "id" = ?  ${FILE}:24 in renameTag`,
        '  (begin, commit and the like are not counted: 2)',
      ].join('\n'),
    );
  });

  test('is counted if it is asked for', async () => {
    const { toRunQueries } = queryMatchers(timed.timing, { transactions: true });
    expect((await toRunQueries.call({}, rename, 4)).pass).toBe(true);
    await assertQueries(timed.timing, rename, { exactly: 4, transactions: true });
  });
});

describe('toRunAtMost(n)', () => {
  test('is true of as many queries and of fewer', async () => {
    await expect(() => listBooks(fork())).toRunAtMost(5);
    await expect(() => listBooks(fork())).toRunAtMost(9);
    await expect(() => listBooks(fork())).not.toRunAtMost(4);
  });

  test('fails', async () => {
    expect(await said(expect(() => listBooks(fork())).toRunAtMost(4))).toBe(
      ['expected at most 4 queries, but 5 were run:', ...LISTED].join('\n'),
    );
    expect(await said(expect(() => listBooks(fork())).not.toRunAtMost(5))).toBe(
      ['expected more than 5 queries, but 5 were run:', ...LISTED].join('\n'),
    );
  });
});

describe('toHaveNPlusOne()', () => {
  test('is true of a query for each row of another', async () => {
    await expect(() => listBooks(fork())).toHaveNPlusOne();
    await expect(() => listBooksAtOnce(fork())).not.toHaveNPlusOne();
  });

  test('fails with not', async () => {
    expect(await said(expect(() => listBooks(fork())).not.toHaveNPlusOne())).toBe(
      ['expected no N+1, but there is one:', ...LISTED].join('\n'),
    );
  });

  test('fails', async () => {
    expect(await said(expect(() => authorNames(fork())).toHaveNPlusOne())).toBe(
      'expected an N+1, but there is none, and 1 was run:\n' +
        `  1 × select "a0".* from "author" as "a0"  ${FILE}:40 in authorNames`,
    );
  });

  test('is not true of duplicates, which are found, too', async () => {
    const em = fork();
    const same = async (): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        await em.find(Tag, { id: 1 });
      }
    };
    expect((await recordQueries(timed.timing, same)).findings.map(({ kind }) => kind)).toEqual(['duplicate']);
    await expect(same).not.toHaveNPlusOne();
  });

  test('is not true of what others run meanwhile', async () => {
    const around = async (): Promise<void> => {
      await authorNames(fork());
      await other;
    };
    const other = timed.timing.run('another', () => listBooks(fork()));
    await expect(around).not.toHaveNPlusOne();
  });
});

describe('toMatchQueries()', () => {
  test('is a snapshot of the shapes in Vitest', async () => {
    await expect(() => listBooks(fork())).toMatchQueries();
    await expect(() => listBooksAtOnce(fork())).toMatchQueries('at once');
  });

  test('cannot be turned round', async () => {
    expect(await said(expect(() => listBooks(fork())).not.toMatchQueries())).toContain('cannot be used with "not"');
  });

  test('asks what it was given, elsewhere', async () => {
    const asked: unknown[] = [];
    const { toMatchQueries } = queryMatchers(timed.timing, {
      toMatchSnapshot(received, hint) {
        asked.push(this, received, hint);
        return { pass: false, message: () => 'not the same' };
      },
    });
    const context = { currentTestName: 'a test of Jest' };
    const result = await toMatchQueries.call(context, () => listBooks(fork()), 'books');
    expect(result.pass).toBe(false);
    expect(asked).toEqual([context, [BOOKS, `4 × ${AUTHOR}`], 'books']);
  });

  test('queriesOf() is for snapshots in the file of the test', async () => {
    expect(queriesOf(await recordQueries(timed.timing, () => listBooks(fork())))).toMatchInlineSnapshot(`
      [
        "select "b0".* from "book" as "b0" order by "b0"."id" asc",
        "4 × select "a0".* from "author" as "a0" where "a0"."id" = ? limit ?",
      ]
    `);
  });
});

describe('a function that throws', () => {
  class Oops extends Error {}
  const throwing = async (): Promise<void> => {
    await listBooks(fork());
    throw new Oops('of its own');
  };

  test('throws its own error, whatever was expected', async () => {
    await expect(expect(throwing).toRunQueries(5)).rejects.toBeInstanceOf(Oops);
    await expect(expect(throwing).not.toRunQueries(1)).rejects.toBeInstanceOf(Oops);
    await expect(expect(throwing).not.toHaveNPlusOne()).rejects.toBeInstanceOf(Oops);
    await expect(expect(throwing).toMatchQueries()).rejects.toBeInstanceOf(Oops);
    await expect(assertQueries(timed.timing, throwing, { exactly: 1 })).rejects.toBeInstanceOf(Oops);
  });

  test('at once does so, too', async () => {
    const atOnce = (): never => {
      throw new Oops('at once');
    };
    await expect(expect(atOnce).toRunQueries(0)).rejects.toBeInstanceOf(Oops);
  });
});

describe('what is no function, or no number', () => {
  test.each<[keyof QueryMatchers, unknown, unknown, string]>([
    [
      'toRunQueries',
      7,
      1,
      'toRunQueries(n) counts the queries of a function, but expect() got: 7. Write expect(() => …).',
    ],
    [
      'toRunAtMost',
      Promise.resolve([]),
      1,
      'toRunAtMost(n) counts the queries of a function, but expect() got: an object with nothing in it. Write expect(() => …).',
    ],
    [
      'toRunQueries',
      () => 1,
      -1,
      'toRunQueries(n) takes a number of queries, a whole one from 0, but got: -1. Write how many there are to be.',
    ],
    [
      'toRunAtMost',
      () => 1,
      undefined,
      'toRunAtMost(n) takes a number of queries, a whole one from 0, but got: undefined. Write how many there are to be.',
    ],
    [
      'toUseIndex',
      () => 1,
      '',
      'toUseIndex(name) takes a name as PostgreSQL has it, but got: "". Write it without schema and quotes.',
    ],
    [
      'toSeqScan',
      () => 1,
      3,
      'toSeqScan(table) takes a name as PostgreSQL has it, but got: 3. Write it without schema and quotes.',
    ],
  ])('%s of %s with %s is refused, with not, too', async (name, received, expected, message) => {
    for (const isNot of [false, true]) {
      const matcher = queryMatchers(timed.timing)[name] as (...given: unknown[]) => Promise<unknown>;
      await expect(matcher.call({ isNot }, received, expected)).rejects.toThrow(message);
    }
  });

  test('recordQueries() of none is refused', async () => {
    await expect(recordQueries(timed.timing, 'select 1' as never)).rejects.toThrow(
      'Queries are counted of a function, but got: "select 1". Write () => … around what is to be counted.',
    );
  });
});

describe('assertQueries()', () => {
  test('returns what the function returns', async () => {
    expect(await assertQueries(timed.timing, () => authorNames(fork()), { exactly: 1, noNPlusOne: true })).toHaveLength(
      4,
    );
  });

  test.each<[ExpectedQueries, number, number, string]>([
    [{ exactly: 2 }, 5, 2, 'expected 2 queries, but 5 were run:'],
    [{ atMost: 4, noNPlusOne: true }, 5, 4, 'expected at most 4 queries, but 5 were run:'],
    [{ atMost: 5, noNPlusOne: true }, 1, 0, 'expected no N+1, but there is one:'],
  ])('fails with %j', async (expected, actual, limit, sentence) => {
    const failing = assertQueries(timed.timing, () => listBooks(fork()), expected);
    expect(await said(failing)).toBe([sentence, ...LISTED].join('\n'));
    const error: unknown = await failing.catch((each: unknown) => each);
    expect(error).toBeInstanceOf(AssertionError);
    expect(error).toMatchObject({ actual, expected: limit, operator: 'assertQueries' });
  });

  test.each<[unknown, string]>([
    [
      {},
      'expected says what is expected, but got: an object with nothing in it. Write { exactly: 2 }, { atMost: 5 }, { noNPlusOne: true }, { usesIndex: name } or { noSeqScan: table }.',
    ],
    [
      undefined,
      'expected is an object with exactly, atMost, noNPlusOne, usesIndex, noSeqScan, transactions, but got: undefined. Write { atMost: 5 }.',
    ],
    [
      { max: 3 },
      'expected is an object with exactly, atMost, noNPlusOne, usesIndex, noSeqScan, transactions, but got: "max". Write { atMost: 5 }.',
    ],
    [{ exactly: 1.5 }, 'exactly is a whole number from 0 to 9007199254740991, but got: 1.5.'],
    [{ noNPlusOne: 'yes' }, 'noNPlusOne is true or false, but got: "yes".'],
    [{ usesIndex: 7 }, 'usesIndex takes a name as PostgreSQL has it, but got: 7. Write it without schema and quotes.'],
    [
      { noSeqScan: '' },
      'noSeqScan takes a name as PostgreSQL has it, but got: "". Write it without schema and quotes.',
    ],
  ])('refuses %j, before anything is run', async (expected, message) => {
    let ran = false;
    await expect(assertQueries(timed.timing, () => (ran = true), expected as ExpectedQueries)).rejects.toThrow(message);
    expect(ran).toBe(false);
  });

  test('is for node:test', async () => {
    const program = fileURLToPath(new URL('fixtures/node-test-program.ts', import.meta.url));
    const given = ['--conditions=@mikrokit/source', '--test-reporter=tap', program, library.url];
    const env = { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '' };
    const failed: unknown = await promisify(execFile)(process.execPath, given, { env }).catch(
      (error: unknown) => error,
    );
    const { code, stdout } = failed as { readonly code?: number; readonly stdout: string };
    expect(code).toBe(1);
    expect(stdout).toContain('ok 1 - reads tags at once');
    expect(stdout).toContain('not ok 2 - reads tags one by one');
    expect(stdout).toMatch(
      /expected at most 1 query, but 3 were run:\n\s+3 × select "t0"\.\* from "tag" as "t0" where "t0"\."id" = \? limit \? {2}.*node-test-program\.ts:27 /,
    );
  });
});
