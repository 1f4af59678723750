import { subscribe } from 'node:diagnostics_channel';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
const Book = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});

test('hits until a write', async () => {
  subscribe('mikrokit:cache', message => console.log(JSON.stringify(message)));
  const cache = resultCache({ ttl: 60_000 });
  const orm = await openOrm({ entities: [Author, Book], extensions: [cache] });
  const em = orm.em.fork();
  em.create(Author, { id: 1, name: 'Ann' });
  em.create(Author, { id: 2, name: 'Ben' });
  em.create(Book, { id: 1, title: 'One', author: 1 });
  await em.flush();
  using recorder = recordQueries(orm);
  const names = async (): Promise<unknown> =>
    (await orm.em.fork().find(Author, { id: 1 }, { cache: true, populate: ['books'] })).map(a => [
      a.name,
      a.books.getItems().map(b => b.title),
    ]);
  expect(await names()).toEqual([['Ann', ['One']]]);
  console.log(recorder.take().map(q => q.sql));
  expect(await names()).toEqual([['Ann', ['One']]]);
  expect(await names()).toEqual([['Ann', ['One']]]);
  console.log(recorder.take().map(q => q.sql));
  await orm.em.fork().nativeUpdate(Author, { id: 2 }, { name: 'Bob' });
  expect(await names()).toEqual([['Ann', ['One']]]);
  console.log(recorder.take().map(q => q.sql));
  await orm.em.fork().nativeUpdate(Author, { id: 1 }, { name: 'Anne' });
  expect(await names()).toEqual([['Anne', ['One']]]);
  console.log(recorder.take().map(q => q.sql));
  console.log(await cache.explain(orm.em.fork(), Author, { id: 1 }, { cache: true }));
  console.log(cache.stats());
});
