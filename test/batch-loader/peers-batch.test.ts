import type { MikroORM } from '@mikro-orm/core';
import { batch, batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';
import { Author, Book, ENTITIES } from './library.ts';

/*
 * Plain loops over calls of batch(em) that differ in their owner: one statement, and never an old answer.
 */

let orm: MikroORM;
let recorder: Recorder;
beforeAll(async () => {
  const { url } = await openDatabase();
  orm = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ peers: true })] });
  await orm.schema.create();
  await orm.em.getConnection().execute(`
    insert into author (id, name, address_street, address_city) select n, 'author ' || n, 's', 'c' from generate_series(1, 5) n;
    insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id)
      select n, 'book ' || n, 10 * n, n, false, 'novel', '{}', 1 + n % 5 from generate_series(1, 20) n;
    create index on book (author_id, id);
  `);
  // What the catalog says is asked for once.
  const b = batch(orm.em.fork());
  await Promise.all([1, 2].map(author => b.find(Book, { author, pages: { $gt: author } })));
  recorder = recordQueries(orm);
});
beforeEach(() => recorder.clear());

const authors = async () => {
  const em = orm.em.fork();
  const found = await em.find(Author, {}, { orderBy: { id: 'asc' } });
  recorder.clear();
  return { em, found };
};
const ids = (items: readonly { id: number }[]): number[] => items.map(({ id }) => id);

test('find, count, sums, pages: one statement each', async () => {
  const { em, found } = await authors();
  const lists: number[][] = [];
  for (const author of found) {
    lists.push(ids(await batch(em).find(Book, { author, pages: { $gt: 50 } }, { orderBy: { id: 'asc' }, limit: 2 })));
  }
  expect(lists).toEqual([
    [10, 15],
    [6, 11],
    [7, 12],
    [8, 13],
    [9, 14],
  ]);
  expect(recorder.take()).toHaveLength(1);

  const counts: unknown[] = [];
  for (const author of found) {
    counts.push(await batch(em).count(Book, { author, pages: { $gt: 100 } }));
  }
  expect(counts).toEqual([2, 2, 2, 2, 2]);
  expect(recorder.take()).toHaveLength(1);

  const totals: unknown[] = [];
  for (const author of found) {
    const page = await batch(em).page(Book, { author }, { orderBy: { id: 'asc' }, first: 1, total: true });
    totals.push([ids(page.items), page.totalCount, page.hasNextPage]);
  }
  expect(totals).toEqual([
    [[5], 4, true],
    [[1], 4, true],
    [[2], 4, true],
    [[3], 4, true],
    [[4], 4, true],
  ]);
  expect(recorder.take()).toHaveLength(1);
});

test('an answer is handed out once, and not after a write of the fork', async () => {
  const { em, found } = await authors();
  const [first, second] = found as [(typeof found)[0], (typeof found)[0]];
  const count = (author: typeof first): Promise<number> => batch(em).count(Book, { author, title: { $like: 'book%' } });
  expect(await count(first)).toBe(4);
  expect(recorder.take()).toHaveLength(1);
  expect(await count(second)).toBe(4);
  expect(recorder.take()).toHaveLength(0);
  expect(await count(second)).toBe(4);
  expect(recorder.take()).not.toHaveLength(0);

  const third = found[2]!;
  expect(await count(first)).toBe(4);
  await em.nativeUpdate(Book, { author: third }, { title: 'renamed' });
  expect(await count(third)).toBe(0);
  await em.nativeUpdate(Book, { author: third }, { title: 'book again' });
});

test('not inside a transaction, and not for a call with a signal', async () => {
  const { em, found } = await authors();
  await em.transactional(async own => {
    const [author] = await own.find(Author, {});
    recorder.clear();
    await batch(own).count(Book, { author: author! });
    expect(recorder.take().map(({ sql }) => sql.includes('"_mk"'))).toEqual([false]);
  });
  recorder.clear();
  await batch(em).find(Book, { author: found[0]! }, { signal: new AbortController().signal });
  expect(recorder.take().map(({ sql }) => sql.includes('any('))).toEqual([false]);
});
