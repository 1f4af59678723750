import { type EntityManager, type InferEntity, LockMode, wrap } from '@mikro-orm/postgresql';
import type { Program } from './program.ts';
import {
  Author,
  Book,
  Category,
  kyselyOf,
  Line,
  Parcel,
  Profile,
  Publisher,
  Review,
  Stock,
  Tag,
  uuid,
} from './shop.ts';

/* Loops of reads: an N+1 each. */

const authorOf = { kind: 'n+1', fix: "populate: ['author']", proved: 'book.author_id', parent: 'Book' } as const;
const booksOf = { kind: 'n+1', fix: "populate: ['books']", proved: 'author.id', parent: 'Author' } as const;

/** Finds books, each of which asks for something as soon as it is loaded: with another fork, as hooks have to. */
async function withHook(
  em: EntityManager,
  ask: (reader: EntityManager, isbn: string) => Promise<unknown>,
): Promise<unknown> {
  const own = em.fork({ freshEventManager: true });
  const reader = em.fork();
  own.getEventManager().registerSubscriber({
    getSubscribedEntities: () => [Book],
    onLoad: async ({ entity }) => void (await ask(reader, (entity as { isbn: string }).isbn)),
  });
  return await own.find(Book, {});
}

export const loops: readonly Program[] = [
  {
    name: 'a reference, in a for loop',
    truth: authorOf,
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await book.author.load();
      }
    },
  },
  {
    name: 'a reference, of findAll()',
    truth: authorOf,
    async run(em) {
      const books = await em.findAll(Book, { orderBy: { title: 'asc' } });
      const names: string[] = [];
      for (const book of books) {
        names.push((await book.author.loadOrFail()).name);
      }
      return names;
    },
  },
  {
    name: 'a reference, of a page of findAndCount()',
    truth: { ...authorOf, fix: "em.findAndCount(Book, …, { populate: ['author'] })" },
    async run(em) {
      const [books] = await em.findAndCount(Book, {}, { limit: 8, orderBy: { id: 'asc' } });
      for (const book of books) {
        await book.author.load();
      }
    },
  },
  {
    name: 'a reference, of a page of findByCursor()',
    truth: { ...authorOf, fix: "em.findByCursor(Book, { …, populate: ['author'] })" },
    async run(em) {
      const page = await em.findByCursor(Book, { first: 8, orderBy: { id: 'asc' } });
      for (const book of page.items) {
        await book.author.load();
      }
    },
  },
  {
    name: 'findOne() by the key of a row, in a for loop',
    truth: authorOf,
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.findOneOrFail(Author, book.author.id);
      }
    },
  },
  {
    name: 'a collection, by init()',
    truth: booksOf,
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await author.books.init();
      }
    },
  },
  {
    name: 'a collection, by loadItems()',
    truth: booksOf,
    async run(em) {
      let sum = 0;
      for (const author of await em.find(Author, {})) {
        sum += (await author.books.loadItems()).length;
      }
      return sum;
    },
  },
  {
    name: 'a collection, by matching() with a condition that stays',
    truth: booksOf,
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await author.books.matching({ where: { price: { $gt: 5 } }, orderBy: { title: 'asc' } });
      }
    },
  },
  {
    name: 'a collection, by find() for its owner',
    truth: booksOf,
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await em.find(Book, { author });
      }
    },
  },
  {
    name: 'what a collection counts, by loadCount()',
    truth: {
      kind: 'n+1',
      fix: "em.countBy(Book, 'author', { where: { author: { $in: […] } } })",
      proved: 'author.id',
      parent: 'Author',
    },
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await author.books.loadCount();
      }
    },
  },
  {
    name: 'counts by count()',
    truth: {
      kind: 'n+1',
      fix: "em.countBy(Review, 'book', { where: { book: { $in: […] } } })",
      proved: 'book.id',
      parent: 'Book',
    },
    async run(em) {
      const books = await em.find(Book, {});
      return await Promise.all(books.map(book => em.count(Review, { book })));
    },
  },
  {
    name: 'many-to-many, from its owner',
    truth: { kind: 'n+1', fix: "populate: ['tags']", proved: 'book.id', parent: 'Book' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await book.tags.init();
      }
    },
  },
  {
    name: 'many-to-many, from its other side',
    truth: { kind: 'n+1', fix: "populate: ['books']", proved: 'tag.id', parent: 'Tag' },
    async run(em) {
      for (const tag of await em.find(Tag, { id: { $lte: 9_000_000_003n } })) {
        await tag.books.loadItems();
      }
    },
  },
  {
    name: 'one-to-one, from its owner',
    truth: { kind: 'n+1', fix: "populate: ['author']", proved: 'profile.author_id', parent: 'Profile' },
    async run(em) {
      for (const profile of await em.find(Profile, {})) {
        await profile.author.load();
      }
    },
  },
  {
    name: 'one-to-one, from its other side',
    truth: { kind: 'n+1', fix: "populate: ['profile']", parent: 'Author', proved: 'profile.id' },
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await author.profile?.load();
      }
    },
  },
  {
    name: 'one-to-one, from its other side, by the column that refers to it',
    truth: { kind: 'n+1', fix: "populate: ['profile']", parent: 'Author', proved: 'author.id' },
    async run(em) {
      for (const author of await em.find(Author, {})) {
        await em.findOne(Profile, { author: author.id });
      }
    },
  },
  {
    name: 'by uuid',
    truth: { kind: 'n+1', fix: "populate: ['publisher']", proved: 'book.publisher_id', parent: 'Book' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await book.publisher.load();
      }
    },
  },
  {
    name: 'by a key of two columns, one of which stays',
    truth: { kind: 'n+1', fix: "populate: ['line']", proved: 'parcel.line_number', parent: 'Parcel' },
    async run(em) {
      for (const parcel of await em.find(Parcel, {})) {
        await parcel.line.load();
      }
    },
  },
  {
    name: 'by a reference of two columns',
    truth: { kind: 'n+1', fix: "populate: ['parcels']", proved: 'line.number', parent: 'Line' },
    async run(em) {
      for (const line of await em.find(Line, {})) {
        await line.parcels.init();
      }
    },
  },
  {
    name: 'a relation that the parent does not know',
    truth: { kind: 'n+1', fix: 'em.find(Review, { book: { $in: […] } })', proved: 'book.id', parent: 'Book' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.find(Review, { book }, { orderBy: { stars: 'desc' } });
      }
    },
  },
  {
    name: 'by a column that no relation tells of',
    truth: { kind: 'n+1', fix: 'em.find(Stock, { isbn: { $in: […] } })', parent: 'Book' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.findOne(Stock, { isbn: book.isbn });
      }
    },
  },
  {
    name: 'a findOne() in a hook of each entity',
    truth: { kind: 'n+1', fix: 'em.find(Stock, { isbn: { $in: […] } })', parent: 'Book' },
    run: em => withHook(em, (reader, isbn) => reader.findOne(Stock, { isbn })),
  },
  {
    name: 'a find() in a hook of each entity',
    truth: { kind: 'n+1', fix: 'em.find(Stock, { isbn: { $in: […] } })', parent: 'Book' },
    run: em => withHook(em, (reader, isbn) => reader.find(Stock, { isbn })),
  },
  {
    name: 'all at once, by Promise.all()',
    truth: authorOf,
    async run(em) {
      const books = await em.find(Book, {});
      return await Promise.all(books.map(book => book.author.load()));
    },
  },
  {
    name: 'all at once, in asynchronous functions',
    truth: booksOf,
    async run(em) {
      const authors = await em.find(Author, {});
      return await Promise.all(
        authors.map(async author => ({ name: author.name, books: await author.books.loadItems() })),
      );
    },
  },
  {
    name: 'through a function that wraps the call',
    truth: authorOf,
    async run(em) {
      const byId = async (id: number) => {
        const author = await em.findOne(Author, id);
        return author?.name;
      };
      const names: unknown[] = [];
      for (const book of await em.find(Book, {})) {
        names.push(await byId(book.author.id));
      }
      return names;
    },
  },
  {
    name: 'in a chain of then()',
    truth: authorOf,
    run: em =>
      em
        .find(Book, {})
        .then(books =>
          books.reduce<Promise<unknown>>((before, book) => before.then(() => book.author.load()), Promise.resolve()),
        ),
  },
  {
    name: 'after timers',
    truth: authorOf,
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await new Promise(resolve => setImmediate(resolve));
        await book.author.load();
      }
    },
  },
  {
    name: 'in a transaction',
    truth: authorOf,
    run: em =>
      em.transactional(async inner => {
        for (const book of await inner.find(Book, {})) {
          await book.author.load();
        }
      }),
  },
  {
    name: 'in two forks, one after the other',
    truth: authorOf,
    async run(em) {
      for (const ids of [
        [201, 202, 203, 204],
        [205, 206, 207, 208],
      ]) {
        for (const book of await em.fork().find(Book, { id: ids })) {
          await book.author.load();
        }
      }
    },
  },
  {
    name: 'read in one fork, followed in another',
    truth: authorOf,
    async run(em) {
      const books = await em.fork().find(Book, {});
      const other = em.fork();
      for (const book of books) {
        await other.findOne(Author, book.author.id);
      }
    },
  },
  {
    name: 'through what was populated by select-in',
    truth: { kind: 'n+1', fix: "em.find(Author, …, { populate: ['books.publisher'] })", proved: 'book.publisher_id' },
    async run(em) {
      for (const author of await em.find(Author, {}, { populate: ['books'], strategy: 'select-in' })) {
        for (const book of author.books) {
          await book.publisher.load();
        }
      }
    },
  },
  {
    name: 'through what was populated by a join',
    truth: { kind: 'n+1', fix: "em.find(Author, …, { populate: ['books.publisher'] })", proved: 'book.publisher_id' },
    async run(em) {
      for (const author of await em.find(Author, {}, { populate: ['books'], strategy: 'joined' })) {
        for (const book of author.books) {
          await book.publisher.load();
        }
      }
    },
  },
  {
    name: 'through many-to-many that was populated',
    truth: { kind: 'n+1', fix: "populate: ['tags.books']", proved: 'tag.id' },
    async run(em) {
      for (const book of await em.find(Book, { id: 201 }, { populate: ['tags'], strategy: 'select-in' })) {
        for (const tag of book.tags) {
          await tag.books.init();
        }
      }
    },
  },
  {
    name: 'a tree, level by level',
    truth: { kind: 'n+1', fix: "['children'])", proved: 'category.id', parent: 'Category' },
    async run(em) {
      const walk = async (category: { children: { loadItems(): Promise<readonly unknown[]> } }): Promise<void> => {
        for (const child of await category.children.loadItems()) {
          await walk(child as never);
        }
      };
      await walk(await em.findOneOrFail(Category, 1));
    },
  },
  {
    name: 'of some of many rows',
    truth: authorOf,
    async run(em) {
      const books = await em.find(Book, {});
      for (const book of books.slice(-5)) {
        await book.author.load();
      }
    },
  },
];

export const unusual: readonly Program[] = [
  {
    name: 'lazy scalars',
    truth: { kind: 'n+1', fix: "em.find(Review, …, { populate: ['text'] })", proved: 'review.id', parent: 'Review' },
    async run(em) {
      for (const review of await em.find(Review, {}, { limit: 6 })) {
        await review.text.load();
      }
    },
  },
  {
    name: 'rows of a stream',
    truth: { kind: 'n+1', fix: 'em.find(Author, { id: { $in: […] } })' },
    async run(em) {
      for await (const book of em.stream(Book)) {
        await book.author.load();
      }
    },
  },
  {
    name: 'rows that are locked one by one',
    truth: { kind: 'n+1', fix: 'em.find(Author, { id: { $in: […] } }, { lockMode: … })', proved: 'book.author_id' },
    run: em =>
      em.transactional(async inner => {
        for (const book of await inner.find(Book, {})) {
          await inner.findOne(Author, book.author.id, { lockMode: LockMode.PESSIMISTIC_WRITE_OR_FAIL });
        }
      }),
  },
  {
    name: 'a fork for each look-up',
    truth: authorOf,
    async run(em) {
      const books = await em.find(Book, {});
      return await Promise.all(books.map(book => em.fork().findOne(Author, book.author.id)));
    },
  },
  {
    name: 'up a tree, to its root',
    truth: { kind: 'n+1', fix: 'with recursive', proved: 'category.parent_id', parent: 'Category' },
    async run(em) {
      let category: InferEntity<typeof Category> | null = await em.findOneOrFail(Category, 12);
      const path: string[] = [];
      while (category !== null) {
        path.unshift(category.name);
        category = (await category.parent?.load()) ?? null;
      }
      return path;
    },
  },
  {
    name: 'wrap(entity).init()',
    truth: authorOf,
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await wrap(book.author.unwrap()).init();
      }
    },
  },
  {
    name: 'em.populate() of each',
    truth: authorOf,
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.populate(book, ['author']);
      }
    },
  },
  {
    name: 'a repository, behind a service, in a loop',
    truth: authorOf,
    async run(em) {
      class Authors {
        async byId(id: number) {
          return await em.getRepository(Author).findOneOrFail({ id });
        }
      }
      class Service {
        readonly authors = new Authors();
        async nameOf(id: number) {
          return (await this.authors.byId(id)).name;
        }
      }
      const service = new Service();
      const names: string[] = [];
      for (const book of await em.find(Book, {})) {
        names.push(await service.nameOf(book.author.id));
      }
      return names;
    },
  },
  {
    name: 'rows of a join by hand, by the name they were given',
    truth: { kind: 'n+1', fix: 'em.find(Publisher, { id: { $in: […] } })', parent: 'Book' },
    async run(em) {
      const rows = await em.execute<{ publisherId: string }[]>(
        'select b.title, b.publisher_id as "publisherId" from book b join author a on a.id = b.author_id',
      );
      for (const { publisherId } of rows) {
        await em.findOne(Publisher, publisherId);
      }
    },
  },
  {
    name: 'a batch that misses: one key at a time',
    truth: authorOf,
    with: 'dataloader',
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await book.author.load();
      }
    },
  },
  {
    name: 'from two tables of the same loop, as often each',
    truth: { kind: 'mn+1', fix: "em.find(Author, …, { populate: ['books', 'profile'] })", proved: 'author.id' },
    async run(em) {
      const authors = await em.find(Author, {});
      for (const author of authors) {
        await Promise.all([em.find(Book, { author }), em.findOne(Profile, { author })]);
      }
    },
  },
  {
    name: 'a query of the first rows, then a query for each of the rest',
    truth: authorOf,
    async run(em) {
      await em.findOne(Author, 11);
      const books = await em.find(Book, { id: { $lte: 206 } });
      for (const book of books) {
        await book.author.load();
      }
    },
  },
];

export const byHand: readonly Program[] = [
  {
    name: 'the QueryBuilder, for entities that were read',
    truth: { kind: 'n+1', fix: 'em.find(Author, { id: { $in: […] } })', proved: 'book.author_id', parent: 'Book' },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.createQueryBuilder(Author, 'a').where({ id: book.author.id }).getResult();
      }
    },
  },
  {
    name: 'em.execute() with parameters',
    truth: { kind: 'n+1', fix: 'one statement for all: "book_id" in (…)', proved: 'book.id', parent: 'Book' },
    async run(em) {
      const books = await em.execute<{ id: number }[]>('select id, title from book');
      for (const { id } of books) {
        await em.execute('select stars from review where book_id = ?', [id]);
      }
    },
  },
  {
    name: 'em.execute() with values in its text',
    truth: { kind: 'n+1', fix: 'one statement for all' },
    async run(em) {
      const books = await em.execute<{ id: number }[]>('select id, title from book');
      for (const { id } of books) {
        await em.execute(`select bio from profile where author_id = ${id - 200} limit 1`);
      }
    },
  },
  {
    name: 'Kysely',
    truth: { kind: 'n+1', fix: 'one statement for all: "id" in (…)', proved: 'book.publisher_id', parent: 'Book' },
    async run(em) {
      const kysely = kyselyOf(em);
      const books = await kysely.selectFrom('book').select(['id', 'publisher_id']).execute();
      for (const book of books) {
        await kysely.selectFrom('publisher').selectAll().where('id', '=', book.publisher_id).execute();
      }
    },
  },
  {
    name: 'entities for rows that were read by hand',
    truth: { kind: 'n+1', fix: 'em.find(Author, { id: { $in: […] } })', proved: 'book.author_id', parent: 'Book' },
    async run(em) {
      const rows = await em.execute<{ author_id: number }[]>('select author_id from book order by title');
      for (const row of rows) {
        await em.findOne(Author, row.author_id);
      }
    },
  },
  {
    name: 'a reload of each',
    truth: {
      kind: 'n+1',
      fix: 'em.find(Book, { id: { $in: […] } }, { refresh: true })',
      proved: 'book.id',
      parent: 'Book',
    },
    async run(em) {
      for (const book of await em.find(Book, {})) {
        await em.refresh(book);
      }
    },
  },
  {
    name: 'more ids than anybody writes down, from elsewhere',
    truth: { kind: 'n+1', fix: 'em.find(Publisher, { id: { $in: […] } })' },
    async run(em) {
      for (let n = 1; n <= 12; n++) {
        await em.findOne(Publisher, uuid(n));
      }
    },
  },
];
