import { type MikroORM, Utils } from '@mikro-orm/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Author, Book, ENTITIES } from './library.ts';

/*
 * What `batch(em)` relies on in MikroORM, asked of MikroORM itself, without the extension. See seam.test.ts.
 */

const moved = (internal: string): string => `MikroORM ${Utils.getORMVersion()} has moved ${internal}`;

type Sent = [sql: string, params: unknown, method: string, transaction: unknown, logging: unknown];

let orm: MikroORM;
beforeAll(async () => {
  const { url } = await openDatabase();
  orm = await openOrm({ url, entities: ENTITIES });
  await orm.schema.create();
});

/** Runs a call with its statements noted instead of sent, as `answers` say. */
async function noted(call: () => Promise<unknown>, rows: unknown): Promise<Sent[]> {
  const driver = orm.driver as unknown as { createQueryBuilder(...args: unknown[]): { getConnection(): object } };
  const original = driver.createQueryBuilder;
  const sent: Sent[] = [];
  driver.createQueryBuilder = (...args) => {
    const qb = original.apply(driver, args);
    qb.getConnection = () => ({
      execute: (...statement: Sent) => {
        sent.push(statement);
        return Promise.resolve(rows);
      },
    });
    return qb;
  };
  try {
    await call();
  } finally {
    driver.createQueryBuilder = original;
  }
  return sent;
}

describe('a read asks qb.getConnection() for execute(sql, params, method, transaction, logging)', () => {
  const row = {
    id: 1,
    title: 'Emma',
    pages: 1,
    price: '1',
    withdrawn: false,
    genre: 'novel',
    keywords: [],
    author_id: 1,
  };

  test('em.find(): all its rows', async () => {
    const sent = await noted(() => orm.em.fork().find(Book, { pages: 5 }, { fields: ['id'] }), [row]);
    expect(sent, moved('qb.getConnection()')).toEqual([
      [
        'select "b0"."id" from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."pages" = ?',
        [false, 5],
        'all',
        undefined,
        expect.objectContaining({ id: expect.any(Number) as number }),
      ],
    ]);
  });

  test('em.findOne(): a list, of which it takes the first', async () => {
    const sent = await noted(() => orm.em.fork().findOne(Book, { pages: 5 }, { fields: ['id'] }), [row]);
    expect(sent, moved('driver.findOne()')).toEqual([
      [expect.stringMatching(/ limit \?$/), [false, 5, 1], 'all', undefined, expect.anything()],
    ]);
  });

  test('em.count(): one row', async () => {
    const sent = await noted(() => orm.em.fork().count(Book, { pages: 5 }), { count: '3' });
    expect(sent, moved('qb.getCount()')).toEqual([
      [
        'select count(*) as "count" from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."pages" = ?',
        [false, 5],
        'get',
        undefined,
        expect.anything(),
      ],
    ]);
  });
});

test('rows become entities in their order, each once', async () => {
  const row = (id: number): object => ({ id, title: `book ${id}` });
  const em = orm.em.fork();
  let found: { id: number }[] = [];
  await noted(async () => {
    found = await em.find(Book, {}, { fields: ['title'] });
  }, [row(3), row(1), row(3), row(2)]);
  expect(
    found.map(({ id }) => id),
    moved('the order of em.find()'),
  ).toEqual([3, 1, 2]);
});

test('a call outside a transaction begins one for a session context through em.withSessionContext()', async () => {
  const em = orm.em.fork();
  const calls: unknown[] = [];
  (em as unknown as { withSessionContext(...args: unknown[]): unknown }).withSessionContext = (
    transaction: unknown,
    run: (transaction: unknown) => unknown,
  ) => {
    calls.push(transaction);
    return run(transaction);
  };
  await em.count(Book, {});
  expect(calls, moved('em.withSessionContext()')).toEqual([undefined]);
});

test('what findOne() asks the identity map', () => {
  const em = orm.em.fork();
  const book = em.getReference(Book, 1);
  const uow = em.getUnitOfWork(false);
  expect(uow.tryGetById(Book as never, { id: 1 } as never), moved('UnitOfWork.tryGetById()')).toBe(book);
  expect(
    (em as unknown as { shouldRefresh(...args: unknown[]): boolean }).shouldRefresh(orm.getMetadata(Book), book, {}),
    moved('em.shouldRefresh()'),
  ).toBe(true);
});

test('a limit per parent numbers the rows of each in a subquery', async () => {
  await orm.em
    .getConnection()
    .execute(`insert into author (id, name, address_street, address_city) values (1, 'Austen', '', '')`);
  using recorder = recordQueries(orm);
  const em = orm.em.fork();
  await em.populate(
    [await em.findOneOrFail(Author, 1)] as never,
    ['books'] as never,
    {
      populateHints: { books: { limit: 2, offset: 1 } },
      orderBy: { books: { pages: 'desc' } },
    } as never,
  );
  expect(recorder.queries.at(-1)!.sql.replace(/"b0"\."id".*"publisher_id"/, '…'), moved('_partitionLimit')).toBe(
    'select * from (select …, row_number() over (partition by "b0"."author_id" order by "b0"."pages" desc) as "__rn" from "book" as "b0" where "b0"."withdrawn" = ? and "b0"."author_id" in (?)) as "b0" where "__rn" > ? and "__rn" <= ? order by "__rn"',
  );
});

test('literals are written by the platform', () => {
  const platform = orm.driver.getPlatform() as unknown as {
    formatDate(date: Date): string;
    parseDate(text: string): Date;
    formatQuery(sql: string, params: readonly unknown[]): string;
    quoteIdentifier(name: string): string;
  };
  expect(platform.formatQuery('? \\? ?', [1, "it's"]), moved('platform.formatQuery()')).toBe("1 ? 'it''s'");
  expect(platform.quoteIdentifier('a.b'), moved('platform.quoteIdentifier()')).toBe('"a"."b"');
  const date = new Date('2024-01-02T03:04:05.678Z');
  expect(platform.parseDate(platform.formatDate(date)), moved('platform.formatDate()')).toEqual(date);
});
