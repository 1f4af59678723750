import { type BatchWindow, batchLoader } from '@mikrokit/batch-loader';
import { expect, test } from 'vitest';
import { createKeyOf } from '../../packages/batch-loader/src/batch-key.ts';
import { rawFragment } from '../../packages/batch-loader/src/seam/condition.ts';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { queryOnce } from '../harness/pg-query.ts';
import { Author, Book, Copy, ENTITIES } from './library.ts';

/*
 * What once went wrong, each found by trying to break it.
 */

const rows = (place: string): string[] => [
  `insert into author (id, name, address_street, address_city) values (1, 'author ${place}', '', ''), (2, 'two', '', '')`,
  `insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id) values (1, 'book ${place}', 9, 1, false, 'novel', '{}', 1)`,
  `insert into tag (id, name, weight) values (1, 'tag ${place}', 1)`,
  `insert into book_tags (book_id, tag_id) values (1, 1)`,
];
const open = async (place: string, batchWindow?: BatchWindow) => {
  const orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader({ batchWindow })] });
  for (const sql of rows(place)) {
    await orm.em.getConnection().execute(sql);
  }
  return orm;
};

test('a window that dispatches at once is answered', { timeout: 5_000 }, async () => {
  const orm = await open('here', dispatch => dispatch());
  const author = await orm.em.fork().getReference(Author, 1, { wrapped: true }).load();
  expect(author?.name).toBe('author here');
});

test('an async window that rejects is answered, with a warning', { timeout: 5_000 }, async () => {
  const warnings: string[] = [];
  const warn = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', warn);
  const orm = await open('here', (() => Promise.reject(new Error('x'))) as never);
  const author = await orm.em.fork().getReference(Author, 1, { wrapped: true }).load();
  process.off('warning', warn);
  expect(author?.name).toBe('author here');
  expect(warnings).toEqual([`batchLoader({ batchWindow }) threw, the batch is sent with 'immediate': Error: x`]);
});

test('a load overtaken by orm.close() leaves no connection', async () => {
  const { url } = await openDatabase();
  const orm = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader()] });
  await orm.schema.create();
  const load = orm.em.fork().getReference(Author, 1, { wrapped: true }).load();
  await new Promise<void>(resolve => process.nextTick(resolve));
  await orm.close();
  await load.catch(() => undefined);
  expect(await orm.isConnected()).toBe(false);
  // The server takes its time to see that one has gone.
  await expect
    .poll(() =>
      queryOnce(url, `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`),
    )
    .toEqual([]);
});

test('a key that no row can have does not abort the transaction', async () => {
  const orm = await open('here');
  const names = await orm.em
    .fork()
    .transactional(em =>
      Promise.all(
        [1, 3_000_000_000].map(async id => (await em.getReference(Author, id, { wrapped: true }).load())?.name ?? null),
      ),
    );
  expect(names).toEqual(['author here', null]);
});

test('em.populate([entity of another ORM]) is refused', async () => {
  const [here, there] = [await open('here'), await open('there')];
  const book = await there.em.fork().findOneOrFail(Book, 1);
  const result = await here.em
    .fork()
    .populate([book], ['tags'])
    .then(
      () => book.tags.getItems().map(tag => tag.name),
      (error: { code?: string }) => error.code,
    );
  expect(result).toBe('FOREIGN_ENTITY');
});

test('a hole in an array is not nothing', () => {
  const keyOf = createKeyOf(rawFragment);
  expect(keyOf(Object.assign([], { length: 1 }))).not.toBe(keyOf([]));
});

test('a limit counts per owner where owners share the first column of their key', async () => {
  const orm = await open('here');
  await orm.em.getConnection().execute(`
    insert into copy select 1, n, 'shelf' from generate_series(1, 3) n;
    insert into copy_marks (copy_book_id, copy_number, tag_id) select 1, n, 1 from generate_series(1, 3) n;
    insert into loan (id, copy_book_id, copy_number) select n, 1, n from generate_series(1, 3) n;
  `);
  const copies = await orm.em.fork().find(Copy, {});
  const lists = await Promise.all([
    ...copies.map(copy => copy.marks.loadItems({ limit: 1 })),
    ...copies.map(copy => copy.loans.loadItems({ limit: 1 })),
  ]);
  expect(lists.map(list => list.length)).toEqual([1, 1, 1, 1, 1, 1]);
});
