import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type BatchEvent, batchLoader } from '@mikrokit/batch-loader';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { Author, Book, ENTITIES, fillLibrary } from './library.ts';
import { createRandom } from './random.ts';

const events: BatchEvent[] = [];
const listen = (message: unknown): void => void events.push(message as BatchEvent);

beforeEach(() => {
  events.length = 0;
  subscribe('mikrokit:batch', listen);
});
afterEach(() => unsubscribe('mikrokit:batch', listen));

const withoutTimes = ({ waited, took, ...event }: BatchEvent): object => {
  expect(waited).toBeGreaterThanOrEqual(0);
  expect(took).toBeGreaterThan(0);
  return event;
};

test('a batch is published with what it asked, answered and cost', async () => {
  const orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader()] });
  await fillLibrary(orm, createRandom(1).next);
  const em = orm.em.fork();
  const books = await em.find(Book, {}, { filters: false });
  const writers = new Set(books.map(book => book.author.id));
  await Promise.all(books.map(book => book.author.load()));
  const authors = await em.find(Author, [...writers]);
  const owned = await Promise.all(authors.map(author => author.books.loadItems({ filters: false })));
  const counts = await Promise.all(authors.map(author => author.books.loadCount({ filters: false, refresh: true })));
  await Promise.all(books.slice(0, 5).map(book => book.summary?.load()));
  await Promise.allSettled(authors.map(author => author.books.load({ where: { nope: 1 } as never })));

  expect(events.slice(0, 3).map(withoutTimes)).toEqual([
    { kind: 'reference', entity: 'Author', keys: books.length, distinct: writers.size, rows: writers.size },
    {
      kind: 'collection',
      entity: 'Author',
      relation: 'books',
      keys: authors.length,
      distinct: authors.length,
      rows: owned.flat().length,
    },
    {
      kind: 'count',
      entity: 'Author',
      relation: 'books',
      keys: authors.length,
      distinct: authors.length,
      rows: counts.filter(Boolean).length,
    },
  ]);
  expect(events[3]).toMatchObject({ kind: 'property', entity: 'Book', relation: 'summary' });
  expect(events.slice(4).every(event => event.error === 'Error' && event.rows === 0)).toBe(true);
  expect(events.length).toBeGreaterThan(4);
});
