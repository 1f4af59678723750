import { type EntityManager, type Kysely, LockMode } from '@mikro-orm/postgresql';
import { queryTiming } from '@mikrokit/query-timing';
import { assertQueries, queryMatchers } from '@mikrokit/query-timing/vitest';
import { beforeAll, describe, expect, test } from 'vitest';
import { readsWhole, usesIndex } from '../../packages/query-timing/src/vitest/plan-verdicts.ts';
import { Author, Book, Library, type Timed } from './fixtures/library.ts';

/* A dozen of books: PostgreSQL reads such a table whole, and rightly, whatever indexes there are. */

let library: Library;
let timed: Timed;
beforeAll(async () => {
  library = await Library.open();
  timed = await library.timed({ environment: 'test', slow: 60_000 });
  expect.extend(queryMatchers(timed.timing));
  await timed.orm.em.fork().execute(`
    create index if not exists book_author_id_index on book (author_id);
    create index if not exists book_long_index on book (title) where pages > 500;
    analyze`);
});
const fork = (): EntityManager => timed.orm.em.fork() as EntityManager;
const kysely = (): Kysely<{ book: { author_id: number } }> => fork().getKysely();
const ofAuthor = (): Promise<unknown> => fork().find(Book, { author: 2 });
const byTitle = (): Promise<unknown> => fork().find(Book, { title: 'secret-title' });

async function said(assertion: Promise<unknown>): Promise<string> {
  try {
    await assertion;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('It has not failed');
}

describe('toUseIndex(name)', () => {
  test('is true where the index could serve, although the planner does not take it for so few rows', async () => {
    const [row] = await fork().execute<{ 'QUERY PLAN': string }[]>('explain select * from book where author_id = 2');
    expect(row?.['QUERY PLAN']).toContain('Seq Scan');
    await expect(ofAuthor).toUseIndex('book_author_id_index');
    await expect(byTitle).not.toUseIndex('book_author_id_index');
  });

  test('is true of one read among others, in a transaction and by em.getKysely(), too', async () => {
    await expect(() => fork().transactional(em => em.find(Book, { author: 2 }))).toUseIndex('book_author_id_index');
    await expect(() => Promise.all([byTitle(), ofAuthor()])).toUseIndex('book_author_id_index');
    await expect(() => kysely().selectFrom('book').selectAll().where('author_id', '=', 2).execute()).toUseIndex(
      'book_author_id_index',
    );
  });

  test('heeds the values: a partial index serves only some', async () => {
    await expect(() => fork().find(Book, { title: 'x', pages: { $gt: 600 } })).toUseIndex('book_long_index');
    await expect(() => fork().find(Book, { title: 'x', pages: { $gt: 400 } })).not.toUseIndex('book_long_index');
    // Each shape is explained once: as it was run first.
    const both = async (): Promise<void> => {
      await fork().find(Book, { title: 'x', pages: { $gt: 600 } });
      await fork().find(Book, { title: 'x', pages: { $gt: 400 } });
    };
    await expect(both).toUseIndex('book_long_index');
  });

  test('fails with how each read would be made, and without its values', async () => {
    expect(await said(expect(byTitle).toUseIndex('book_author_id_index'))).toBe(
      [
        'expected a read that can use the index book_author_id_index, but none can:',
        '  select "b0".* from "book" as "b0" where "b0"."title" = ?',
        '    Seq Scan on book',
      ].join('\n'),
    );
  });

  test('fails with not', async () => {
    expect(await said(expect(ofAuthor).not.toUseIndex('book_author_id_index'))).toMatch(
      /^expected no read to use the index book_author_id_index, but:\n {2}select "b0"\.\* from "book" as "b0" where "b0"\."author_id" = \?\n {4}.*book_author_id_index/,
    );
  });

  test('of an index that is not there is refused, with not, too', async () => {
    const message =
      'toUseIndex(name) takes the name of an index, but the database has none called "book_autor_id_index". ' +
      'Correct the name, or create the index.';
    expect(await said(expect(ofAuthor).toUseIndex('book_autor_id_index'))).toBe(message);
    expect(await said(expect(ofAuthor).not.toUseIndex('book_autor_id_index'))).toBe(message);
  });

  test('without any read is refused', async () => {
    const update = (): Promise<unknown> => fork().nativeUpdate(Book, { author: 2 }, { pages: 7 });
    const locked = (): Promise<unknown> =>
      fork().transactional(em => em.find(Book, { author: 2 }, { lockMode: LockMode.PESSIMISTIC_WRITE }));
    const message =
      'Plans are looked at of reads, but the function has run none: select, values or with, without a lock.';
    expect(await said(expect(update).not.toUseIndex('book_author_id_index'))).toContain(message);
    expect(await said(expect(locked).toUseIndex('book_author_id_index'))).toContain(message);
  });
});

describe('toSeqScan(table)', () => {
  test('is true where no index serves', async () => {
    await expect(byTitle).toSeqScan('book');
    await expect(ofAuthor).not.toSeqScan('book');
    await expect(() => fork().findOne(Author, 1)).not.toSeqScan('author');
    await expect(() => fork().find(Author, {})).toSeqScan('author');
  });

  test('is true of an index that is walked only to filter its rows', async () => {
    await expect(() => fork().find(Book, { title: 'x' }, { orderBy: { id: 'asc' }, limit: 3 })).toSeqScan('book');
    await expect(() => fork().find(Book, {}, { orderBy: { id: 'asc' }, limit: 3 })).not.toSeqScan('book');
  });

  test('fails with not', async () => {
    expect(await said(expect(byTitle).not.toSeqScan('book'))).toBe(
      [
        'expected no read of all of book, but no index serves:',
        '  select "b0".* from "book" as "b0" where "b0"."title" = ?',
        '    Seq Scan on book',
      ].join('\n'),
    );
  });

  test('fails', async () => {
    expect(await said(expect(ofAuthor).toSeqScan('book'))).toContain(
      'expected a read of all of book, but indexes serve each:\n  select "b0".* from "book"',
    );
  });

  test('of a table that is not read is refused, with not, too', async () => {
    const message =
      'toSeqScan(table) takes a table that the function reads, but got: "tag". It reads: book. ' +
      'Name one of these, without its schema.';
    expect(await said(expect(ofAuthor).toSeqScan('tag'))).toBe(message);
    expect(await said(expect(ofAuthor).not.toSeqScan('tag'))).toBe(message);
  });
});

describe('assertQueries(), for what has no matchers', () => {
  test('says nothing of what is so, and returns what the function returns', async () => {
    const expected = { exactly: 1, noNPlusOne: true, usesIndex: 'book_author_id_index', noSeqScan: 'book' };
    expect(await assertQueries(timed.timing, ofAuthor, expected)).toHaveLength(3);
  });

  test('fails with how each read would be made', async () => {
    expect(await said(assertQueries(timed.timing, byTitle, { usesIndex: 'book_author_id_index' }))).toBe(
      [
        'expected a read that can use the index book_author_id_index, but none can:',
        '  select "b0".* from "book" as "b0" where "b0"."title" = ?',
        '    Seq Scan on book',
      ].join('\n'),
    );
    expect(await said(assertQueries(timed.timing, byTitle, { noSeqScan: 'book' }))).toContain(
      'expected no read of all of book, but no index serves:\n  select "b0".* from "book"',
    );
  });

  test('fails with how many there are, before how they are made', async () => {
    expect(await said(assertQueries(timed.timing, byTitle, { exactly: 2, noSeqScan: 'book' }))).toContain(
      'expected 2 queries, but 1 was run',
    );
    const ofItsOwn = (): Promise<unknown> =>
      fork().transactional(async em => {
        await em.execute('create temporary table visit (id int) on commit drop');
        await em.execute('select * from visit');
      });
    expect(await said(assertQueries(timed.timing, ofItsOwn, { exactly: 5, noSeqScan: 'visit' }))).toContain(
      'expected 5 queries, but 2 were run',
    );
  });

  test('of what is not there is refused', async () => {
    expect(await said(assertQueries(timed.timing, ofAuthor, { usesIndex: 'book_autor_id_index' }))).toBe(
      'usesIndex takes the name of an index, but the database has none called "book_autor_id_index". ' +
        'Correct the name, or create the index.',
    );
    expect(await said(assertQueries(timed.timing, ofAuthor, { noSeqScan: 'tag' }))).toBe(
      'noSeqScan takes a table that the function reads, but got: "tag". It reads: book. ' +
        'Name one of these, without its schema.',
    );
  });
});

describe('explaining', () => {
  test('executes nothing twice, and is not a query of the application', async () => {
    const em = fork();
    await em.execute('create sequence if not exists counter');
    const count = (): Promise<unknown> =>
      em.execute(`select nextval('counter')::int as n, b.* from book b where id = 1`);
    const before = timed.timing.report().totals.queries;
    await expect(count).toUseIndex('book_pkey');
    await expect(count).toUseIndex('book_pkey');
    expect(timed.timing.report().totals.queries - before).toBe(2);
    expect(await em.execute(`select last_value::int as n from counter`)).toEqual([{ n: 2 }]);
  });

  test('of what is not committed says what to do, without a value', async () => {
    const inTransaction = (): Promise<unknown> =>
      fork().transactional(async em => {
        await em.execute('create temporary table visit (id int, page text) on commit drop');
        await em.execute(`select * from visit where page = 'secret-page'`);
      });
    expect(await said(expect(inTransaction).not.toSeqScan('visit'))).toBe(
      'A read could not be explained on a connection of its own (42P01): select * from visit where page = ?. ' +
        'Commit what it needs before, and leave temporary tables out.',
    );
  });

  test('leaves no connection behind', async () => {
    await expect(ofAuthor).toUseIndex('book_author_id_index');
    await expect
      .poll(() =>
        fork().execute(
          `select count(*)::int as count from pg_stat_activity where application_name = 'mikrokit query-timing' and datname = current_database()`,
        ),
      )
      .toEqual([{ count: 0 }]);
  });

  test('with what is no timing of this package is refused', async () => {
    const { run, scope, subscribe, on } = queryTiming({ terminal: false });
    const { toUseIndex } = queryMatchers({ run, scope, subscribe, on } as never);
    await expect(toUseIndex.call({}, ofAuthor, 'book_pkey')).rejects.toThrow(
      'Plans are looked at with a timing that queryTiming() has made, but this one tells no statements. Give that one.',
    );
  });
});

describe('a plan of a kind that so few rows do not bring about', () => {
  const read = (plan: object): Parameters<typeof readsWhole>[0] => [{ text: 'select 1', plan: plan as never }];
  const bitmap = {
    'Node Type': 'Bitmap Heap Scan',
    'Relation Name': 'book',
    Plans: [{ 'Node Type': 'Bitmap Index Scan', 'Index Name': 'by_title' }],
  };

  test('by a bitmap uses its index', () => {
    expect(usesIndex(read(bitmap), 'by_title', new Set(['by_title'])).pass).toBe(true);
    expect(readsWhole(read(bitmap), 'book').pass).toBe(false);
  });

  test('by nearness uses its index, whatever it filters', () => {
    const nearest = {
      'Node Type': 'Index Scan',
      'Index Name': 'by_place',
      'Relation Name': 'shop',
      'Order By': `(place <-> '(0,0)'::point)`,
      Filter: 'open',
    };
    expect(readsWhole(read({ 'Node Type': 'Limit', Plans: [nearest] }), 'shop').pass).toBe(false);
  });

  test('with names from elsewhere shows them on their lines', () => {
    const evil = { 'Node Type': 'Seq Scan', 'Relation Name': 'a\x1b[2J\nb' };
    expect(readsWhole(read(evil), 'a\x1b[2J\nb').passed()).toBe(
      String.raw`expected no read of all of a\x1b[2J\x0ab, but no index serves:` +
        '\n  select 1\n' +
        String.raw`    Seq Scan on a\x1b[2J\x0ab`,
    );
  });
});
