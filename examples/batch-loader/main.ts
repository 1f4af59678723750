// The same lazy loads twice, on MikroORM as it is and with batch-loader: same answers, N+1 and no N+1.
// npm run example batch-loader
import assert from 'node:assert/strict';
import { defineEntity, MikroORM, p, type Options } from '@mikro-orm/postgresql';
import { createDatabase } from '@mikrokit-dev/test/harness/database-plain.ts';
import { startCluster } from '@mikrokit-dev/test/harness/postgres.ts';
import { recordQueries } from '@mikrokit-dev/test/harness/recorder.ts';
import { batchLoader } from '@mikrokit/batch-loader';

const AuthorSchema = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});
class Book extends BookSchema.class {}
BookSchema.setClass(Book);

const AUTHORS = 200;
const BOOKS = 1_000;

/** Three habits of code that knows nothing of the other rows: resolvers, serialisers, service methods. */
const habits: Record<string, (orm: MikroORM) => Promise<unknown>> = {
  'author of each book': async orm => {
    const books = await orm.em.fork().find(Book, {}, { orderBy: { id: 'asc' } });
    return await Promise.all(books.map(async book => (await book.author.loadOrFail()).name));
  },
  'books of each author': async orm => {
    const authors = await orm.em.fork().find(Author, {}, { orderBy: { id: 'asc' } });
    const booksOf = (author: Author) => author.books.loadItems({ orderBy: { id: 'asc' } });
    return await Promise.all(authors.map(async author => (await booksOf(author)).map(book => book.title)));
  },
  'number of books of each': async orm => {
    const authors = await orm.em.fork().find(Author, {}, { orderBy: { id: 'asc' } });
    return await Promise.all(authors.map(author => author.books.loadCount()));
  },
};

/** Runs one habit and says how many queries it took, and how long, once warm. */
async function measure(orm: MikroORM, run: (orm: MikroORM) => Promise<unknown>) {
  await run(orm);
  using recorder = recordQueries(orm);
  const start = performance.now();
  const answer = await run(orm);
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
  numbers(BOOKS).map(id => ({ id, title: `Book ${id}`, author: (id % AUTHORS) + 1 })),
);

console.log(
  `${`${BOOKS} books by ${AUTHORS} authors`.padEnd(24)}${'without'.padStart(20)}${'with batch-loader'.padStart(20)}`,
);
for (const [name, run] of Object.entries(habits)) {
  const before = await measure(plain, run);
  const after = await measure(batched, run);
  assert.deepEqual(after.answer, before.answer);
  const cost = ({ queries, ms }: typeof after) => `${queries} queries`.padStart(12) + `${ms.toFixed(0)} ms`.padStart(8);
  console.log(`${name.padEnd(24)}${cost(before)}${cost(after)}`);
}
