// The same reads twice, on MikroORM as it is and with batch-loader: same answers, N+1 and no N+1.
// npm run example batch-loader
import assert from 'node:assert/strict';
import { defineEntity, MikroORM, p, type EntityManager, type Options } from '@mikro-orm/postgresql';
import { createDatabase } from '@mikrokit-dev/test/harness/database-plain.ts';
import { startCluster } from '@mikrokit-dev/test/harness/postgres.ts';
import { recordQueries } from '@mikrokit-dev/test/harness/recorder.ts';
import { batch, batchLoader } from '@mikrokit/batch-loader';

const AuthorSchema = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    year: p.integer(),
    author: () => p.manyToOne(Author).ref().index(),
  },
});
class Book extends BookSchema.class {}
BookSchema.setClass(Book);

const AUTHORS = 200;
const BOOKS = 1_000;

type Habit = (em: EntityManager) => Promise<unknown>;

/** Lazy loads, by code that knows nothing of the other rows: resolvers, serialisers, service methods. */
const lazyLoads: Record<string, Habit> = {
  'author of each book': async em => {
    const books = await em.find(Book, {}, { orderBy: { id: 'asc' } });
    return await Promise.all(books.map(async book => (await book.author.loadOrFail()).name));
  },
  'books of each author': em =>
    ofEach(em, async author => titles(await author.books.loadItems({ orderBy: { id: 'asc' } }))),
  'number of books of each': em => ofEach(em, author => author.books.loadCount()),
};

/** Any other read: as one writes it for `em`, and for `batch(em)`. */
const anyReads: Record<string, { plain: Habit; batched: Habit }> = {
  // Each has another year and another limit.
  'latest books of each': {
    plain: em => ofEach(em, async author => titles(await em.find(Book, ...latest(author)))),
    batched: em => ofEach(em, async author => titles(await batch(em).find(Book, ...latest(author)))),
  },
  // Each begins after another book, and is told how many there are.
  'page of each, and total': {
    plain: em =>
      ofEach(em, async author => {
        const page = await em.findByCursor(Book, { where: { author }, orderBy: BY_YEAR, ...place(author) });
        return [titles(page.items), page.totalCount];
      }),
    batched: em =>
      ofEach(em, async author => {
        const page = await batch(em).page(Book, { author }, { orderBy: BY_YEAR, ...place(author), total: true });
        return [titles(page.items), page.totalCount];
      }),
  },
};

const BY_YEAR = { year: 'asc', id: 'asc' } as const;
const titles = (books: Iterable<Book>) => Array.from(books, book => book.title);
const latest = ({ id: author }: Author) =>
  [
    { author, year: { $gte: 1950 + (author % 50) } },
    { orderBy: { year: 'desc', id: 'asc' }, limit: 1 + (author % 3) },
  ] as const;
const place = ({ id }: Author) => ({ first: 2, after: { year: 1900 + (id % 100), id: 0 } });

async function ofEach(em: EntityManager, read: (author: Author) => Promise<unknown>) {
  const authors = await em.find(Author, {}, { orderBy: { id: 'asc' } });
  return await Promise.all(authors.map(read));
}

/** Runs one habit and says how many queries it took, and how long, once warm. */
async function measure(orm: MikroORM, run: Habit) {
  await run(orm.em.fork());
  using recorder = recordQueries(orm);
  const start = performance.now();
  const answer = await run(orm.em.fork());
  return { answer, queries: recorder.queries.length, ms: performance.now() - start };
}

await using cluster = await startCluster();
await using database = await createDatabase({ cluster });
const options: Options = { entities: [Author, Book], clientUrl: database.url };
await using plain = new MikroORM(options);
await using batched = new MikroORM({ ...options, extensions: [batchLoader()] });

await plain.schema.create();
const em = plain.em.fork();
const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
await em.insertMany(
  Author,
  numbers(AUTHORS).map(id => ({ id, name: `Author ${id}` })),
);
await em.insertMany(
  Book,
  numbers(BOOKS).map(id => ({ id, title: `Book ${id}`, year: 1900 + ((id * 7) % 125), author: (id % AUTHORS) + 1 })),
);

console.log(
  `${`${BOOKS} books by ${AUTHORS} authors`.padEnd(24)}${'without'.padStart(20)}${'with batch-loader'.padStart(20)}`,
);
const habits = { ...lazyLoads, ...anyReads };
for (const [name, run] of Object.entries(habits)) {
  const before = await measure(plain, 'plain' in run ? run.plain : run);
  const after = await measure(batched, 'batched' in run ? run.batched : run);
  assert.deepEqual(after.answer, before.answer);
  const cost = ({ queries, ms }: typeof after) => `${queries} queries`.padStart(12) + `${ms.toFixed(0)} ms`.padStart(8);
  console.log(`${name.padEnd(24)}${cost(before)}${cost(after)}`);
}
