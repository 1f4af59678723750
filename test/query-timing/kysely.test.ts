import { setTimeout as sleep } from 'node:timers/promises';
import { type EntityManager, Kysely } from '@mikro-orm/postgresql';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Book, kyselyOf, Library, Tag, type Timed, told } from './fixtures/library.ts';

/* What em.getKysely() asks, of which MikroORM's own log knows nothing. */

let library: Library;
let timed: Timed;
beforeAll(async () => {
  library = await Library.open();
  timed = await library.timed({ parameters: 'full' });
});
beforeEach(() => void timed.records.splice(0));

const fork = (): EntityManager => timed.orm.em.fork() as EntityManager;

test('reads and writes: their rows, those that were changed, and their parameters', async () => {
  const kysely = kyselyOf(fork());
  await kysely.selectFrom('book').select('title').where('id', '<', 4).execute();
  await kysely.insertInto('tag').values({ id: 30, name: 'x' }).execute();
  await kysely.updateTable('tag').set({ name: 'y' }).where('id', '=', 30).execute();
  await kysely.deleteFrom('tag').where('id', '>=', 30).execute();
  expect(told(timed.records, 'operation', 'rows', 'role', 'parameters')).toEqual([
    {
      shape: 'select "title" from "book" where "id" < ?',
      operation: 'kysely',
      rows: 3,
      role: 'primary',
      parameters: ['4'],
    },
    {
      shape: 'insert into "tag" ("id", "name") values (?)',
      operation: 'kysely',
      rows: 1,
      role: 'primary',
      parameters: ['30', 'x'],
    },
    {
      shape: 'update "tag" set "name" = ? where "id" = ?',
      operation: 'kysely',
      rows: 1,
      role: 'primary',
      parameters: ['y', '30'],
    },
    { shape: 'delete from "tag" where "id" >= ?', operation: 'kysely', rows: 1, role: 'primary', parameters: ['30'] },
  ]);
});

test('a text with $1 and the same with ? or a value are one shape', async () => {
  await kyselyOf(fork()).selectFrom('tag').select('id').where('id', '=', 1).execute();
  await fork().execute('select "id" from "tag" where "id" = ?', [1]);
  await fork().execute('select "id" from "tag" where "id" = 1');
  expect(new Set(timed.records.map(({ shape }) => shape.id)).size).toBe(1);
  expect(timed.timing.report().shapes.find(({ id }) => id === timed.records[0]!.shape.id)).toMatchObject({ calls: 3 });
});

test('one that fails', async () => {
  const failing = kyselyOf(fork())
    .selectFrom('nowhere' as 'tag')
    .selectAll()
    .execute();
  await expect(failing).rejects.toThrow();
  expect(told(timed.records, 'operation', 'rows', 'error')).toEqual([
    { shape: 'select * from "nowhere"', operation: 'kysely', error: '42P01' },
  ]);
});

test('a stream of it', async () => {
  for await (const each of kyselyOf(fork()).selectFrom('tag').selectAll().stream()) void each;
  expect(told(timed.records, 'operation', 'rows')).toEqual([
    { shape: 'select * from "tag"', operation: 'stream', rows: 2 },
  ]);
});

test('a transaction of its own', async () => {
  await kyselyOf(fork())
    .transaction()
    .execute(async transaction => {
      await transaction.selectFrom('tag').selectAll().execute();
    });
  const { transaction } = timed.records[0]!;
  expect(transaction).toBeTypeOf('number');
  expect(told(timed.records, 'operation', 'transaction')).toEqual([
    { shape: 'begin', operation: 'begin', transaction },
    { shape: 'select * from "tag"', operation: 'kysely', transaction },
    { shape: 'commit', operation: 'commit', transaction },
  ]);
});

test('within a transaction of the EntityManager', async () => {
  await fork().transactional(async em => {
    await kyselyOf(em).selectFrom('tag').selectAll().execute();
  });
  const { transaction } = timed.records[0]!;
  expect(told(timed.records, 'operation', 'transaction')).toEqual([
    { shape: 'begin', operation: 'begin', transaction },
    { shape: 'select * from "tag"', operation: 'kysely', transaction },
    { shape: 'commit', operation: 'commit', transaction },
  ]);
});

test('an instance that was kept goes on being seen, also in the scope it is used in', async () => {
  const { orm, records, timing } = await library.timed();
  const kysely = kyselyOf(orm.em);
  expect(kysely).toBeInstanceOf(Kysely);
  await timing.run('first', () => kysely.selectFrom('tag').selectAll().execute());
  await timing.run('second', async () => {
    await sleep(1);
    await kysely.selectFrom('tag').selectAll().execute();
  });
  expect(timing.report().scopes.map(({ name, queries }) => [name, queries])).toEqual([
    ['second', 1],
    ['first', 1],
  ]);
  expect(records).toHaveLength(2);
});

test('what it takes is told apart as for all others', async () => {
  const started = performance.now();
  await kyselyOf(fork())
    .selectNoFrom(({ fn, val }) => fn('pg_sleep', [val(0.1)]).as('slept'))
    .execute();
  const real = performance.now() - started;
  const { wait, database, after, took } = timed.records.at(-1)!;
  expect(database / 1000).toBeGreaterThan(95);
  expect(wait + after).toBeLessThan(database);
  expect(took / 1000).toBeLessThanOrEqual(real);
});

describe('beside calls of the EntityManager', () => {
  test('at the same time, in one fork', async () => {
    const em = fork();
    await Promise.all([em.find(Tag, {}), kyselyOf(em).selectFrom('book').selectAll().execute(), em.count(Book)]);
    expect(
      timed.records
        .map(({ operation, rows, entity }) => [operation, rows, entity])
        .toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1)),
    ).toEqual([
      ['count', 1, 'Book'],
      ['find', 2, 'Tag'],
      ['kysely', 12, 'Book'],
    ]);
  });
});
