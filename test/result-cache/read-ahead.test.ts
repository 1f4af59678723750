import { type MikroORM, defineEntity, p } from '@mikro-orm/postgresql';
import { type CacheStore, redisStore, resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { closeAfter } from '../harness/close-after.ts';
import { openOrm } from '../harness/orm.ts';
import { startRedis } from '../harness/redis.ts';

const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    author: () => p.manyToOne(Author).ref(),
    reviews: () => p.oneToMany(Review).mappedBy('book'),
  },
});
const Review = defineEntity({
  name: 'Review',
  properties: { id: p.integer().primary(), text: p.string(), book: () => p.manyToOne(Book).ref() },
});

/** The real store, and what is asked of it in the order that it is asked and answered. */
function listening(store: CacheStore, log: string[]): CacheStore {
  const read: CacheStore['read'] = async ask => {
    const entity = ask.key.split(':')[0]!;
    log.push(`${entity}?`);
    const found = await store.read(ask);
    log.push(`${entity}.`);
    return found;
  };
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = name === 'read' ? read : Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(name === 'read' ? undefined : target) : value;
    },
  });
}

async function open(log: string[]): Promise<MikroORM> {
  const redis = await startRedis();
  closeAfter(() => redis.stop());
  const store = listening(redisStore(redis.client(), { grace: 1 }), log);
  const orm = await openOrm({ entities: [Author, Book, Review], extensions: [resultCache({ store, timeout: 1_000 })] });
  const em = orm.em.fork();
  await em.insert(Author, { id: 1, name: 'Ann' });
  await em.insert(Book, { id: 1, title: 'One', author: 1 });
  await em.insert(Review, { id: 1, text: 'good', book: 1 });
  return orm;
}

const read = async (orm: MikroORM): Promise<unknown> => {
  const [author] = await orm.em
    .fork()
    .find(Author, 1, { populate: ['books.reviews'], strategy: 'select-in', cache: 60_000 });
  return author!.books.getItems().map(book => [book.title, book.reviews.getItems().map(review => review.text)]);
};

/** Until nothing is filled any more. */
async function warm(orm: MikroORM, log: string[]): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    await read(orm);
    await new Promise(resolve => setTimeout(resolve, 30));
  }
  log.length = 0;
}

test('what a call populates is asked for with its first read', async () => {
  const log: string[] = [];
  const orm = await open(log);
  await warm(orm, log);
  expect(await read(orm)).toEqual([['One', ['good']]]);
  expect(log.filter(line => !line.startsWith('columns'))).toEqual([
    'Book?',
    'Review?',
    'Author?',
    'Book.',
    'Review.',
    'Author.',
  ]);
});
