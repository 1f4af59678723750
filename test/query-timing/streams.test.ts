import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Book, Library, sorted, Tag, type Timed, told } from './fixtures/library.ts';

let library: Library;
let timed: Timed;
beforeAll(async () => {
  library = await Library.open({ authors: 10, books: 1_000 });
  timed = await library.timed();
});
beforeEach(() => void timed.records.splice(0));

const fork = (): EntityManager => timed.orm.em.fork() as EntityManager;

const sql = 'select "b0".* from "book" as "b0" order by "b0"."id" asc';

describe('a stream is one query', () => {
  test('read to its end: all its rows, of its entity and fork', async () => {
    const em = fork();
    let last: number | undefined;
    for await (const book of em.stream(Book, { orderBy: { id: 'asc' } })) {
      last = book.id;
    }
    expect(last).toBe(1_000);
    expect(told(timed.records, 'operation', 'entity', 'rows', 'fork')).toEqual([
      { shape: sql, operation: 'stream', entity: 'Book', rows: 1_000, fork: em.id },
    ]);
  });

  test('left early: the rows that were fetched until then, and its connection is given back', async () => {
    for await (const book of fork().stream(Book, { orderBy: { id: 'asc' } })) {
      if (book.id === 5) {
        break;
      }
    }
    expect(told(timed.records, 'operation', 'rows', 'error')).toEqual([{ shape: sql, operation: 'stream', rows: 100 }]);
    expect(timed.timing.pools()[0]).toMatchObject({ used: 0, holders: [] });
  });

  test('left by an exception of its reader: that is no error of the query', async () => {
    const read = async (): Promise<void> => {
      for await (const book of fork().stream(Book, { orderBy: { id: 'asc' } })) {
        throw new Error(`as planned at ${book.id}`);
      }
    };
    await expect(read()).rejects.toThrow('as planned at 1');
    expect(told(timed.records, 'rows', 'error')).toEqual([{ shape: sql, rows: 100 }]);
    expect(timed.timing.pools()[0]).toMatchObject({ used: 0 });
  });

  test('asked for and never read: nothing was sent', async () => {
    fork().stream(Book);
    await sleep(20);
    expect(timed.records).toEqual([]);
  });

  test('that fails at once', async () => {
    const read = async (): Promise<void> => {
      for await (const each of fork().stream(Book, { where: { [`no such`]: 1 } as never })) void each;
    };
    await expect(read()).rejects.toThrow();
    const broken = async (): Promise<void> => {
      for await (const each of fork().createQueryBuilder(Book, 'b').where('1 / 0 = 1').stream()) void each;
    };
    await expect(broken()).rejects.toThrow('division by zero');
    expect(told(timed.records, 'operation', 'rows', 'error')).toEqual([
      { shape: 'select "b".* from "book" as "b" where (? / ? = ?)', operation: 'stream', error: '22012' },
    ]);
    expect(timed.timing.pools()[0]).toMatchObject({ used: 0 });
  });

  test('that fails half way', async () => {
    let rows = 0;
    const read = async (): Promise<void> => {
      const stream = fork().createQueryBuilder(Book, 'b').where('1 / (500 - b.id) < 2').orderBy({ id: 'asc' }).stream();
      for await (const each of stream) {
        void each;
        rows++;
      }
    };
    await expect(read()).rejects.toThrow('division by zero');
    expect(told(timed.records, 'operation', 'rows', 'error')).toEqual([
      { shape: expect.stringContaining('where (? / (? - b.id) < ?)'), operation: 'stream', error: '22012' },
    ]);
    expect(timed.timing.pools()[0]).toMatchObject({ used: 0 });
  });

  test('several at once are told apart', async () => {
    await Promise.all([
      (async () => {
        for await (const each of fork().stream(Book)) void each;
      })(),
      (async () => {
        for await (const each of fork().stream(Tag)) void each;
      })(),
    ]);
    expect(sorted(timed.records.map(({ entity, rows }) => [entity, rows]))).toEqual([
      ['Book', 1_000],
      ['Tag', 2],
    ]);
  });

  test('within a transaction', async () => {
    await fork().transactional(async em => {
      for await (const each of em.stream(Tag)) void each;
    });
    const { transaction } = timed.records[0]!;
    expect(told(timed.records, 'operation', 'rows', 'transaction')).toEqual([
      { shape: 'begin', operation: 'begin', rows: 0, transaction },
      { shape: 'select "t0".* from "tag" as "t0"', operation: 'stream', rows: 2, transaction },
      { shape: 'commit', operation: 'commit', rows: 0, transaction },
    ]);
  });
});

describe('what its reader does meanwhile', () => {
  test('is neither time of the database, nor makes it slow', async () => {
    const { orm, records, timing } = await library.timed({ slow: 3_000 });
    let rows = 0;
    for await (const each of orm.em.fork().stream(Book)) {
      void each;
      rows++;
      if (rows % 100 === 0) {
        await sleep(400);
      }
    }
    const [{ database, after, took }] = records as [(typeof records)[0]];
    expect(database / 1000).toBeLessThan(3_000);
    expect(after / 1000).toBeGreaterThan(3_900);
    expect(took / 1000).toBeGreaterThan(4_000);
    expect(timing.report().findings).toEqual([]);
  });

  test('is asked of the database in queries of its own, which are not part of the stream', async () => {
    const em = fork();
    for await (const tag of em.stream(Tag, { orderBy: { id: 'asc' } })) {
      await em.findOne(Book, tag.id, { disableIdentityMap: true });
    }
    const findOne = 'select "b0".* from "book" as "b0" where "b0"."id" = ? limit ?';
    expect(told(timed.records, 'operation', 'entity', 'rows')).toEqual([
      { shape: expect.stringContaining('from "tag"'), operation: 'stream', entity: 'Tag', rows: 2 },
      { shape: findOne, operation: 'findOne', entity: 'Book', rows: 1 },
      { shape: findOne, operation: 'findOne', entity: 'Book', rows: 1 },
    ]);
  });

  test('stays in its own scope, and the stream in the one it is read in', async () => {
    const { orm, records, timing } = await library.timed();
    await timing.run('reading', async () => {
      for await (const tag of orm.em.fork().stream(Tag)) {
        await timing.run(`of ${tag.id}`, () => orm.em.fork().count(Book));
      }
    });
    const named = timing.report().scopes.map(({ name, records: own }) => [name, own.map(({ operation }) => operation)]);
    expect(named).toEqual([
      ['reading', ['stream']],
      ['of 2', ['count']],
      ['of 1', ['count']],
    ]);
    expect(records).toHaveLength(3);
  });
});
