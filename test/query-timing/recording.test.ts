import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, type LogContext, wrap } from '@mikro-orm/core';
import { type EntityManager, Kysely, type MikroORM, type Options, raw } from '@mikro-orm/postgresql';
import { queryTiming, QueryTimingError, type QueryTimingOptions } from '@mikrokit/query-timing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { createOrm } from '../harness/orm-plain.ts';
import { startProxy } from '../harness/proxy.ts';
import { calls } from './fixtures/calls.ts';
import {
  Book,
  compiled,
  entities,
  kyselyOf,
  Library,
  sorted,
  Tag,
  texts,
  type Timed,
  told,
} from './fixtures/library.ts';

let library: Library;
let timed: Timed;
beforeAll(async () => {
  library = await Library.open();
  timed = await library.timed();
});
beforeEach(() => void timed.records.splice(0));

const fork = (): EntityManager => timed.orm.em.fork() as EntityManager;

describe('every statement is recorded: what was called, on what, how many rows it gave, or how it failed', () => {
  test.each(Object.entries(calls))('%s', async (_, { run, asks }) => {
    await run(fork()).catch(() => undefined);
    expect(told(timed.records, 'operation', 'entity', 'rows', 'error')).toEqual(asks);
  });
});

describe('answers are the same as without it', () => {
  const everythingOn: QueryTimingOptions = {
    parameters: 'full',
    slow: 0,
    callSites: { sample: 1 },
    comments: 'full',
    nPlusOne: { threshold: 2 },
  };

  test.each<[string, QueryTimingOptions]>([
    ['as it is by default', {}],
    ['with everything on', everythingOn],
    ['with everything off', { parameters: 'off', callSites: false, nPlusOne: false, advice: false }],
  ])('%s', async (_, options) => {
    const answers = async (em: EntityManager, run: (em: EntityManager) => Promise<unknown>): Promise<unknown> => {
      try {
        return plain(await run(em));
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message.slice(0, 60)}`;
      }
    };
    const { orm } = await library.timed(options);
    await using other = await createOrm({ url: library.url, entities });
    for (const [name, { run }] of Object.entries(calls)) {
      const with_ = await answers(orm.em.fork() as EntityManager, run);
      const without = await answers(other.em.fork() as EntityManager, run);
      expect(with_, name).toEqual(without);
    }
  });

  function plain(value: unknown): unknown {
    return JSON.parse(
      JSON.stringify(value, (_key, each: unknown) =>
        typeof each === 'object' && each !== null && '__helper' in each ? wrap(each).toPOJO() : each,
      ) ?? 'null',
    );
  }
});

describe('hooks of connections', () => {
  const asks = (sql: string) => (connection: object) =>
    (connection as { executeQuery(query: object): Promise<void> }).executeQuery(compiled(sql));

  test('what they send is seen, from the first connection on', async () => {
    const { orm, records, timing } = await library.timed(
      {},
      {
        pool: { max: 1 },
        onCreateConnection: asks('set statement_timeout = 60000') as never,
        onReserveConnection: asks('reset search_path') as never,
      },
    );
    await orm.em.fork().count(Tag);
    await orm.em.fork().count(Book);
    expect(told(records, 'operation')).toEqual([
      { shape: expect.stringContaining('"tag"'), operation: 'count' },
      { shape: 'set statement_timeout = ?', operation: 'kysely' },
      { shape: 'reset search_path', operation: 'kysely' },
      { shape: expect.stringContaining('"book"'), operation: 'count' },
      { shape: 'reset search_path', operation: 'kysely' },
    ]);
    expect(timing.pools()).toMatchObject([{ created: 1, acquired: 2, used: 0 }]);
  });

  test('variables of a session, which MikroORM sets on each use of a connection', async () => {
    const { orm, records } = await library.timed({}, { sessionContext: 'connection', pool: { max: 1 } });
    await orm.em.fork().count(Tag);
    await orm.em.fork().count(Book);
    expect(sorted(texts(records))).toEqual([
      'reset all',
      'reset all',
      'reset role',
      'reset role',
      'select count(*) as "count" from "book" as "b0"',
      'select count(*) as "count" from "tag" as "t0"',
    ]);
  });
});

describe('of each is known', () => {
  test('when it began, of which fork and server it was, and what it is called', async () => {
    const em = fork();
    const before = Date.now();
    await em.find(Book, { id: 1 }, { logging: { label: 'the first book' } });
    const [record] = timed.records;
    expect(record).toMatchObject({
      id: expect.any(Number),
      fork: em.id,
      label: 'the first book',
      role: 'primary',
      node: new URL(library.url).host,
      transaction: undefined,
    });
    expect(record!.start).toBeGreaterThan(before - 5);
    expect(record!.start).toBeLessThan(Date.now() + 5);
  });

  test('its server: the same from the first query on', async () => {
    const { orm, records } = await library.timed();
    await Promise.all([orm.em.fork().count(Tag), orm.em.fork().count(Tag)]);
    await orm.em.fork().count(Tag);
    const { host } = new URL(library.url);
    expect(records.map(({ node }) => node)).toEqual([host, host, host]);
  });

  test('a name of its server, where it has one', async () => {
    const { orm, records } = await library.timed({}, { name: 'main' });
    await orm.em.fork().count(Tag);
    await orm.em.fork().execute('select 1');
    await kyselyOf(orm.em.fork()).selectFrom('tag').selectAll().execute();
    expect(records.map(({ node }) => node)).toEqual(['main', 'main', 'main']);
  });

  test('ids count up in the order of the calls, queries of one transaction have its number', async () => {
    await fork().transactional(em => em.count(Tag));
    await fork().transactional(em => em.count(Tag));
    const [first, second] = [timed.records[0]!.transaction, timed.records[3]!.transaction];
    expect(timed.records.map(({ transaction }) => transaction)).toEqual([first, first, first, second, second, second]);
    expect(second).toBe(first! + 1);
    const ids = timed.records.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(6);
  });

  test('calls at the same time are told apart', async () => {
    await Promise.all([
      fork().find(Book, { id: 1 }),
      fork().count(Book),
      fork().execute('select 1 as one'),
      fork().findOne(Tag, 1, { populate: [] }),
    ]);
    const all = told(timed.records, 'operation', 'entity', 'rows');
    expect(all.toSorted((a, b) => (String(a['operation']) < String(b['operation']) ? -1 : 1))).toEqual([
      { shape: 'select count(*) as "count" from "book" as "b0"', operation: 'count', entity: 'Book', rows: 1 },
      { shape: 'select ? as one', operation: 'execute', rows: 1 },
      { shape: 'select "b0".* from "book" as "b0" where "b0"."id" = ?', operation: 'find', entity: 'Book', rows: 1 },
      {
        shape: 'select "t0".* from "tag" as "t0" where "t0"."id" = ? limit ?',
        operation: 'findOne',
        entity: 'Tag',
        rows: 1,
      },
    ]);
  });
});

describe('the parts', () => {
  const ms = (us: number): number => us / 1000;

  test.each(Object.entries(calls))('add up to the whole: %s', async (_, { run }) => {
    await run(fork()).catch(() => undefined);
    for (const { wait, send, database, after, took, shape } of timed.records) {
      const parts = [wait, send, database, after];
      expect(
        parts.filter(part => !(part >= 0)),
        shape.text,
      ).toEqual([]);
      const sum = parts.reduce((a, b) => a + b);
      expect(Math.abs(sum - took), shape.text).toBeLessThan(Math.max(500, took / 10));
    }
  });

  test('what the server takes is `database`', async () => {
    await fork().execute('select pg_sleep(0.5)');
    const [{ wait, send, database, after, took }] = timed.records as [(typeof timed.records)[0]];
    expect(ms(database)).toBeGreaterThan(495);
    expect(wait + send + after).toBeLessThan(database);
    expect(took).toBeGreaterThan(database);
  });

  test.each<[string, (em: EntityManager) => Promise<unknown>]>([
    ['a find', em => em.find(Tag, {})],
    ['raw SQL', em => em.execute('select 1')],
    ['the begin of a transaction', em => em.transactional(inner => inner.count(Tag))],
    ['a query of Kysely', em => kyselyOf(em).selectFrom('tag').selectAll().execute()],
    [
      'a stream',
      async em => {
        for await (const each of em.stream(Tag, {})) void each;
      },
    ],
  ])('the time that a full pool takes is `wait`: %s', async (_, call) => {
    const { orm, records, timing } = await library.timed({}, { pool: { max: 1 } });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const holding = orm.em.fork().transactional(() => released);
    await expect.poll(() => records.length).toBe(1);
    records.length = 0;
    const waiting = call(orm.em.fork() as EntityManager);
    await expect.poll(() => timing.pools()).toMatchObject([{ waiting: 1 }]);
    await sleep(1_000);
    release();
    await Promise.all([holding, waiting]);
    const [, waited, ...more] = records.toSorted((a, b) => a.start + a.wait / 1000 - (b.start + b.wait / 1000));
    expect(ms(waited!.wait), waited!.shape.text).toBeGreaterThan(950);
    expect(waited!.database).toBeLessThan(waited!.wait);
    expect(waited!.took).toBeGreaterThan(waited!.wait);
    more.forEach(({ wait, shape }) => expect(wait, shape.text).toBeLessThan(waited!.wait / 2));
  });

  test('a query that finds a connection does not wait', async () => {
    await fork().count(Tag);
    timed.records.length = 0;
    for (let query = 0; query < 3; query++) {
      await fork().count(Tag);
    }
    expect(Math.min(...timed.records.map(({ wait }) => ms(wait)))).toBeLessThan(100);
  });

  test('making entities is `after`, also of the last of several queries', async () => {
    const big = await Library.open({ authors: 2_000, books: 10_000 });
    const { orm, records } = await big.timed();
    const afters: number[][] = [];
    for (let round = 0; round < 3; round++) {
      records.length = 0;
      await orm.em.fork().execute('select * from book');
      await orm.em.fork().find(Book, {});
      await orm.em.fork().find(Book, {}, { populate: ['author'], strategy: 'select-in' });
      const asked = records.toSorted((a, b) => a.id - b.id);
      expect(asked.map(record => record.rows)).toEqual([10_000, 10_000, 10_000, 2_000]);
      afters.push(asked.map(({ after }) => after));
    }
    // The least of each: collecting garbage is in any of them.
    const [rows, found, books, authors] = [0, 1, 2, 3].map(query => Math.min(...afters.map(each => each[query]!)));
    expect(rows).toBeLessThan(found! / 2);
    expect(rows).toBeLessThan(books! / 2);
    expect(authors).toBeGreaterThan(100);
  });
});

describe('what fails', () => {
  test('a connection that is lost: the code of the error, and the next query is well', async () => {
    const proxy = await startProxy(library.url);
    const { orm, records } = await library.timed({}, { url: proxy.url() });
    await orm.em.fork().count(Tag);
    records.length = 0;
    proxy.cut('pg_sleep', 'request');
    await expect(orm.em.fork().execute('select pg_sleep(10)')).rejects.toThrow();
    await orm.em.fork().count(Tag);
    expect(told(records, 'error', 'rows')).toEqual([
      { shape: 'select pg_sleep(?)', error: expect.stringMatching(/^(ECONNRESET|Error|[A-Z0-9]{5})$/) },
      { shape: expect.any(String), rows: 1 },
    ]);
    await proxy.stop();
  });

  test('a connection that the server ends: its SQLSTATE', async () => {
    const { orm, records } = await library.timed({}, { driverOptions: { application_name: 'to be ended' } });
    // Waited for from the first: it may fail before the poll is told of it.
    const running = Promise.allSettled([orm.em.fork().execute('select pg_sleep(10)')]);
    await expect
      .poll(() =>
        fork().execute(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'to be ended' and query like '%sleep%'`,
        ),
      )
      .toHaveLength(1);
    expect(await running).toMatchObject([{ status: 'rejected' }]);
    expect(told(records, 'error')).toEqual([{ shape: 'select pg_sleep(?)', error: '57P01' }]);
  });

  test.each([
    ['count', (em: EntityManager) => em.count(Tag)],
    ['find', (em: EntityManager) => em.find(Tag, {})],
  ])('no connection within the time that the pool is given: %s', async (operation, call) => {
    const { orm, records, timing } = await library.timed(
      {},
      { driverOptions: { max: 1, connectionTimeoutMillis: 2_000 } },
    );
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const holding = orm.em.fork().transactional(() => released);
    await expect.poll(() => records.length).toBe(1);
    records.length = 0;
    await expect(call(orm.em.fork() as EntityManager)).rejects.toThrow('timeout');
    const [late] = records;
    release();
    await holding;
    expect(late).toMatchObject({ operation, entity: 'Tag', error: 'Error', rows: undefined, database: 0 });
    expect(late!.wait / 1000).toBeGreaterThan(1_990);
    expect(timing.pools()).toMatchObject([{ timeouts: 1, waiting: 0, used: 0 }]);
  });

  test('no server: the code of the error', async () => {
    const proxy = await startProxy(library.url);
    await proxy.refuse();
    const { orm, records } = await library.timed({}, { url: proxy.url() });
    await expect(orm.em.fork().count(Tag)).rejects.toThrow();
    expect(told(records, 'error', 'operation')).toEqual([
      { shape: expect.any(String), operation: 'count', error: 'ECONNREFUSED' },
    ]);
    await proxy.stop();
  });

  /** Of a query that would take 10 s. */
  const cancelled: Record<string, (em: EntityManager, options: object) => Promise<unknown>> = {
    execute: (em, options) => em.execute('select pg_sleep(10)', [], options),
    find: (em, options) => em.find(Tag, { [raw('pg_sleep(10)::text')]: 'x' }, options),
  };
  test.each(Object.entries(cancelled))('a query that is cancelled: %s', async (operation, call) => {
    const controller = new AbortController();
    const running = call(fork(), { signal: controller.signal, inflightQueryAbortStrategy: 'cancel query' });
    // From the first: it may be refused before the poll is told of it.
    const settled = Promise.allSettled([running]);
    // One that comes before the statement has begun cancels nothing.
    await expect
      .poll(() =>
        fork().execute(
          `select from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]10[)]'
            and pid <> pg_backend_pid() and datname = current_database()`,
        ),
      )
      .toHaveLength(1);
    timed.records.length = 0;
    controller.abort();
    expect(await settled).toMatchObject([{ status: 'rejected' }]);
    await expect
      .poll(() => told(timed.records, 'operation', 'error'))
      .toEqual([{ shape: expect.stringContaining('pg_sleep(?)'), operation, error: '57014' }]);
  });
});

describe("MikroORM's logger", () => {
  test('hears the same, with debug or without', async () => {
    const heard = async (extensions: Options['extensions'], debug: boolean): Promise<unknown[]> => {
      let contexts: unknown[] = [];
      class Heard extends DefaultLogger {
        override logQuery({ query, params, label, level, results, affected }: LogContext): void {
          contexts.push({ query, params, label, level, results, affected });
        }
      }
      await using orm = await createOrm({
        url: library.url,
        entities,
        debug,
        extensions: extensions!,
        loggerFactory: options => new Heard(options),
      });
      const all: unknown[] = [];
      for (const { run } of Object.values(calls)) {
        contexts = [];
        await run(orm.em.fork() as EntityManager).catch(() => undefined);
        // Some ask two things at once.
        all.push(contexts.map(context => JSON.stringify(context)).toSorted());
      }
      return all.flat();
    };
    for (const debug of [false, true]) {
      const plain = await heard([], debug);
      expect(plain.length).toBeGreaterThan(60);
      expect(await heard([queryTiming({ comments: 'full', terminal: false })], debug)).toEqual(plain);
    }
  });

  test('that throws fails the query as it does without, and it is recorded', async () => {
    const { orm, records } = await library.timed();
    orm.config.getLogger().logQuery = () => {
      throw new Error('logger boom');
    };
    await expect(orm.em.fork().execute('select 1')).rejects.toThrow('logger boom');
    expect(told(records, 'rows', 'error')).toEqual([{ shape: 'select ?', rows: 1 }]);
  });
});

describe('driverOptions', () => {
  /** As MikroORM makes it. */
  const dialect = (orm: MikroORM): object =>
    (orm.em.getConnection() as unknown as { createKyselyDialect(options: object): object }).createKyselyDialect({});

  async function asked(driverOptions: unknown): Promise<unknown> {
    const { orm, records } = await library.timed({}, { driverOptions: driverOptions as object });
    const em = orm.em.fork() as EntityManager;
    await em.transactional(inner => inner.count(Tag));
    await kyselyOf(em).selectFrom('tag').selectAll().execute();
    return texts(records);
  }

  test.each<[string, (plain: MikroORM) => unknown]>([
    ['options of the pool', () => ({ max: 2 })],
    ['a function that returns options of the pool', () => () => ({ max: 2 })],
    ['a dialect', plain => dialect(plain)],
    ['a function that returns a dialect', plain => () => dialect(plain)],
  ])('%s', async (_, make) => {
    const plain = await openOrm({ url: library.url, entities });
    expect(await asked(make(plain))).toEqual([
      'begin',
      'select count(*) as "count" from "tag" as "t0"',
      'commit',
      'select * from "tag"',
    ]);
  });

  test('a Kysely instance is refused: nobody could see what it is asked', async () => {
    const plain = await openOrm({ url: library.url, entities });
    const kysely = new Kysely({ dialect: dialect(plain) as never });
    const refusal =
      'queryTiming() has to see every query, but got: a Kysely instance in driverOptions. ' +
      'Give MikroORM its dialect, or a function that makes it, instead.';
    const open = (driverOptions: unknown): Promise<unknown> =>
      createOrm({ url: library.url, entities, driverOptions: driverOptions as object, extensions: [queryTiming()] });
    await expect(open(kysely)).rejects.toThrow(QueryTimingError);
    await expect(open(kysely)).rejects.toMatchObject({ message: refusal, code: 'UNSUPPORTED' });
    const { orm } = await library.timed({}, { driverOptions: (() => kysely) as never });
    await expect(orm.em.fork().count(Tag)).rejects.toMatchObject({ message: refusal, code: 'UNSUPPORTED' });
  });
});
