import { defineEntity, p, raw, type MikroORM } from '@mikro-orm/postgresql';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from './orm.ts';
import { recordQueries, type Recorder } from './recorder.ts';

const Book = defineEntity({ name: 'Book', properties: { id: p.integer().primary(), title: p.string() } });

describe('recordQueries', () => {
  let orm: MikroORM;
  let recorder: Recorder;

  beforeAll(async () => {
    orm = await openOrm({ entities: [Book] });
    recorder = recordQueries(orm);
  });

  beforeEach(() => recorder.clear());

  test('sees a find of the EntityManager, with its values, its connection and its time', async () => {
    await orm.em.fork().find(Book, { title: 'Emma' });
    expect(recorder.queries).toEqual([
      {
        sql: 'select "b0".* from "book" as "b0" where "b0"."title" = ?',
        params: ['Emma'],
        via: 'write',
        name: '127.0.0.1',
        took: expect.any(Number) as number,
        failed: false,
      },
    ]);
  });

  test('sees a flush with its transaction', async () => {
    const em = orm.em.fork();
    em.create(Book, { id: 1, title: 'Persuasion' });
    await em.flush();
    expect(recorder.sql).toEqual(['begin', 'insert into "book" ("id", "title") values (?, ?)', 'commit']);
  });

  test('sees savepoints and a rollback', async () => {
    const em = orm.em.fork();
    await em
      .transactional(async outer => {
        await outer.transactional(inner => inner.execute('select 1'));
        throw new Error('no');
      })
      .catch(() => {});
    expect(recorder.sql).toEqual([
      'begin',
      expect.stringMatching(/^savepoint /),
      'select 1',
      expect.stringMatching(/^release savepoint /),
      'rollback',
    ]);
  });

  test('sees the QueryBuilder and raw SQL', async () => {
    const em = orm.em.fork();
    await em.createQueryBuilder(Book).select(raw('count(*)')).execute();
    await em.execute('select ?::int as one', [1]);
    expect(recorder.sql).toEqual(['select count(*) from "book" as "b0"', 'select ?::int as one']);
  });

  test('sees a stream', async () => {
    for await (const _ of orm.em.fork().stream(Book)) {
      // Only the statement matters.
    }
    expect(recorder.queries).toMatchObject([{ sql: 'select "b0".* from "book" as "b0"', took: undefined }]);
  });

  test('marks a query that failed', async () => {
    await expect(orm.em.fork().execute('select 1/0')).rejects.toThrow('division by zero');
    expect(recorder.queries).toMatchObject([{ sql: 'select 1/0', failed: true }]);
  });

  test('keeps order and forgets what was taken', async () => {
    const em = orm.em.fork();
    await em.execute('select 1');
    await em.execute('select 2');
    expect(recorder.take().map(query => query.sql)).toEqual(['select 1', 'select 2']);
    await em.execute('select 3');
    expect(recorder.take().map(query => query.sql)).toEqual(['select 3']);
    expect(recorder.take()).toEqual([]);
  });

  test('several recorders on one ORM stop one by one', async () => {
    const em = orm.em.fork();
    const second = recordQueries(orm);
    await em.execute('select 1');
    second.stop();
    await em.execute('select 2');
    expect(second.sql).toEqual(['select 1']);
    expect(recorder.sql).toEqual(['select 1', 'select 2']);
  });
});

test('two ORMs, one database: each recorder sees its own', async () => {
  const first = await openOrm({ entities: [Book] });
  const second = await openOrm({ entities: [Book], url: first.config.get('clientUrl')! });
  await first.em.fork().insert(Book, { id: 1, title: 'Emma' });
  const ofFirst = recordQueries(first);
  const ofSecond = recordQueries(second);
  expect(await second.em.fork().count(Book)).toBe(1);
  expect(ofFirst.sql).toEqual([]);
  expect(ofSecond.sql).toEqual(['select count(*) as "count" from "book" as "b0"']);
});

test("MikroORM's own logger goes on printing, with or without recorders", async () => {
  const printed: string[] = [];
  const orm = await openOrm({ entities: [Book], debug: ['query'], logger: line => printed.push(line), colors: false });
  printed.length = 0;
  using recorder = recordQueries(orm);
  await orm.em.fork().execute('select 1');
  recorder.stop();
  await orm.em.fork().execute('select 2');
  expect(printed).toEqual([
    expect.stringMatching(/^\[query\] select 1 \[took \d+ ms, 1 result\]/),
    expect.stringMatching(/^\[query\] select 2 /),
  ]);
  expect(recorder.sql).toEqual(['select 1']);
});

test('tells reads on a replica by its name', async () => {
  const { config } = await openOrm({ entities: [Book] });
  const clientUrl = config.get('clientUrl')!;
  const orm = await openOrm({ entities: [Book], url: clientUrl, replicas: [{ clientUrl, name: 'r1' }] });
  const recorder = recordQueries(orm);
  const em = orm.em.fork();
  await em.count(Book);
  await em.count(Book, {}, { connectionType: 'write' });
  expect(recorder.queries.map(({ via, name }) => `${via} ${name}`)).toEqual(['read r1', 'write 127.0.0.1']);
});
