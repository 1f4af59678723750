import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { queryTiming } from '@mikrokit/query-timing';
import { queryMatchers } from '@mikrokit/query-timing/vitest';
import { toMatchSnapshot } from 'jest-snapshot';

const Author = defineEntity({ name: 'Author', properties: { id: p.integer().primary(), name: p.string() } });
const Book = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});

const timing = queryTiming({ terminal: false });
expect.extend(queryMatchers(timing, { toMatchSnapshot }));

let orm;
beforeAll(async () => {
  orm = await MikroORM.init({ clientUrl: process.env.DATABASE_URL, entities: [Author, Book], extensions: [timing] });
  await orm.schema.refresh();
  const em = orm.em.fork();
  for (let id = 1; id <= 5; id++) {
    em.create(Book, { id, title: `book ${id}`, author: em.create(Author, { id, name: `author ${id}` }) });
  }
  await em.flush();
});
afterAll(() => orm.close());

async function loadOneByOne() {
  for (const book of await orm.em.fork().find(Book, {})) {
    await book.author.load();
  }
}
const loadAtOnce = () => orm.em.fork().find(Book, {}, { populate: ['author'], strategy: 'select-in' });

describe('matchers in Jest', () => {
  test('count', async () => {
    await expect(loadAtOnce).toRunQueries(2);
    await expect(loadOneByOne).not.toRunAtMost(5);
  });
  test('find an N+1', async () => {
    await expect(loadOneByOne).toHaveNPlusOne();
    await expect(loadAtOnce).not.toHaveNPlusOne();
  });
  test('look at indexes', async () => {
    await expect(() => orm.em.fork().findOne(Book, 1)).toUseIndex('book_pkey');
    await expect(() => orm.em.fork().find(Book, { title: 'x' })).toSeqScan('book');
  });
  test('compare with a snapshot', async () => {
    await expect(loadAtOnce).toMatchQueries();
  });
  test('fail in words', async () => {
    await expect(loadOneByOne).toRunQueries(2);
  });
});
