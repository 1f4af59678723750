import type { Program } from './program.ts';
import { Author, Book, Event, Job, Publisher, Setting, Tag } from './shop.ts';

/* Loops with more than one query in them, the same query again, and writes one by one. */

export const several: readonly Program[] = [
  {
    name: 'a serializer that loads all relations of each',
    truth: {
      kind: 'mn+1',
      fix: "em.find(Book, …, { populate: ['author', 'publisher', 'tags'] })",
      proved: 'book.author_id',
    },
    async run(em) {
      const serialize = async (book: (typeof Book)['~entity']) => ({
        title: book.title,
        author: (await book.author.loadOrFail()).name,
        publisher: (await book.publisher.loadOrFail()).name,
        tags: (await book.tags.loadItems()).map(({ name }) => name),
      });
      const out: unknown[] = [];
      for (const book of await em.find(Book, {})) {
        out.push(await serialize(book));
      }
      return out;
    },
  },
  {
    name: 'resolvers, as a GraphQL server calls them',
    truth: { kind: 'mn+1', fix: "populate: ['author', 'publisher']", parent: 'Book' },
    async run(em) {
      const resolvers = {
        author: (book: (typeof Book)['~entity']) => book.author.load(),
        publisher: (book: (typeof Book)['~entity']) => book.publisher.load(),
      };
      const books = await em.find(Book, {});
      return await Promise.all(
        books.map(async book => {
          const fields = Object.entries(resolvers).map(async ([name, resolve]) => [name, await resolve(book)] as const);
          return Object.fromEntries(await Promise.all(fields));
        }),
      );
    },
  },
  {
    name: 'one relation after the other',
    truth: { kind: 'mn+1', fix: "populate: ['author.profile']", proved: 'book.author_id' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        const author = await book.author.loadOrFail();
        await author.profile?.load();
      }
    },
  },
  {
    name: 'findOne() that populates, in a loop',
    truth: { kind: 'mn+1', fix: "populate: ['publisher.books']", proved: 'book.publisher_id' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.findOne(Publisher, book.publisher.id, { populate: ['books'], strategy: 'select-in' });
      }
    },
  },
  {
    name: 'the same setting, once for each row',
    truth: { kind: 'duplicate', fix: 'read it once' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.find(Setting, { value: 'on' }, { limit: 1 });
        void book;
      }
    },
  },
  {
    name: 'the same entity, in two forks',
    truth: { kind: 'duplicate', fix: 'one fork for both' },
    async run(em) {
      const user = await em.fork().findOne(Author, 3);
      const again = await em.fork().findOne(Author, 3);
      return [user, again];
    },
  },
  {
    name: 'the same raw query, at two places',
    truth: { kind: 'duplicate', fix: 'read it once' },
    async run(em) {
      const before = await em.execute('select count(*) from book where price > ?', [5]);
      const books = await em.find(Book, {}, { limit: 2 });
      const after = await em.execute('select count(*) from book where price > ?', [5]);
      return [before, books, after];
    },
  },
];

export const writes: readonly Program[] = [
  {
    name: 'a flush for each new entity',
    truth: { kind: 'write-loop', fix: 'em.flush()' },
    async run(em) {
      for (let n = 0; n < 8; n++) {
        em.create(Event, { text: `event ${n}` });
        await em.flush();
      }
    },
  },
  {
    name: 'a flush for each changed entity',
    truth: { kind: 'write-loop', fix: 'em.flush()' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        book.price += 1;
        await em.flush();
      }
    },
  },
  {
    name: 'em.insert() one by one',
    truth: { kind: 'write-loop', fix: 'em.insertMany(Event, rows)' },
    async run(em) {
      for (let n = 0; n < 8; n++) {
        await em.insert(Event, { text: `event ${n}` });
      }
    },
  },
  {
    name: 'em.upsert() one by one',
    truth: { kind: 'write-loop', fix: 'em.upsertMany(Setting, rows)' },
    async run(em) {
      for (let n = 0; n < 8; n++) {
        await em.upsert(Setting, { key: `setting-${n}`, value: `value ${n}` });
      }
    },
  },
  {
    name: 'em.nativeUpdate() one by one, to the same',
    truth: { kind: 'write-loop', fix: 'em.nativeUpdate(Job, { id: { $in: […] } }, …)' },
    async run(em) {
      for (const job of await em.find(Job, {})) {
        await em.nativeUpdate(Job, { id: job.id }, { state: 'done' });
      }
    },
  },
  {
    name: 'em.nativeDelete() one by one',
    truth: { kind: 'write-loop', fix: 'em.nativeDelete(Job, { id: { $in: […] } })' },
    async run(em) {
      for (let id = 1; id <= 8; id++) {
        await em.nativeDelete(Job, { id });
      }
    },
  },
  {
    name: 'em.execute() that inserts one by one',
    truth: { kind: 'write-loop', fix: 'em.insertMany(Event, rows)' },
    async run(em) {
      for (let n = 0; n < 8; n++) {
        await em.execute('insert into event (text) values (?)', [`event ${n}`]);
      }
    },
  },
  {
    name: 'the QueryBuilder, all at once',
    truth: { kind: 'write-loop', fix: 'em.upsertMany(Tag, rows)' },
    async run(em) {
      const tags = await em.find(Tag, {});
      await Promise.all(
        tags.map(tag =>
          em
            .createQueryBuilder(Tag)
            .update({ name: `${tag.name}!` })
            .where({ id: tag.id })
            .execute(),
        ),
      );
    },
  },
];
