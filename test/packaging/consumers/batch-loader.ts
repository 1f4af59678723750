// What a user's own file may look like, compiled against the tarball with the declarations of libraries checked.
import {
  batch,
  batchLoader,
  BatchLoaderError,
  type BatchLoaderErrorCode,
  type BatchLoaderOptions,
  OptionsError,
  type Page,
} from '@mikrokit/batch-loader';
import { aggregate, connection, hints, relation, resolveReference } from '@mikrokit/batch-loader/graphql';
import { defineConfig, defineEntity, type EntityManager, MikroORM, p } from '@mikro-orm/postgresql';
import type { GraphQLResolveInfo } from 'graphql';

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

const config = defineConfig({
  entities: [Author, Book],
  clientUrl: 'postgres://localhost/library',
  extensions: [batchLoader({ batchWindow: 'tick', maxBatchSize: 1000 })],
});

export async function titles(): Promise<string[]> {
  const orm = await MikroORM.init(config);
  const authors = await orm.em.fork().find(Author, {});
  const books = await Promise.all(authors.map(author => author.books.load()));
  await orm.close();
  return books.flatMap(collection => collection.getItems().map(book => book.title));
}

/** Per-parent limits are typed by augmentation, which must reach a consumer as well. */
export async function firstTitles(authors: readonly Author[], limit: number): Promise<Book[][]> {
  return await Promise.all(authors.map(author => author.books.loadItems({ limit, orderBy: { title: 'asc' } })));
}

/** Any read, batched. */
export async function latest(
  em: EntityManager,
  authors: readonly Author[],
): Promise<[Book[][], Page<Book>, number | null]> {
  const b = batch(em);
  const lists = await Promise.all(
    authors.map(author => b.find(Book, { author }, { orderBy: { id: 'desc' }, limit: 3 })),
  );
  return [lists, await b.page(Book, {}, { first: 20, orderBy: { title: 'asc' } }), await b.max(Book, 'id')];
}

/** Hints leave the type of what is found as it is. */
export async function booksFor(info: GraphQLResolveInfo, em: EntityManager): Promise<Book[]> {
  return await em.find(Book, { author: { name: 'Ada' } }, { ...hints(info, Book), orderBy: { title: 'asc' } });
}

/** Resolvers take their entities from classes, and arguments and context from whoever writes them. */
export const resolvers = {
  Author: {
    __resolveReference: resolveReference(Author),
    books: relation(Author, 'books', {
      find: ({ title, limit }: { title?: string; limit?: number }) => ({
        where: { title },
        orderBy: { id: 'asc' },
        limit,
      }),
    }),
    shelf: connection(Author, 'books', { find: () => ({ orderBy: { title: 'asc' } }), defaultSize: 20, maxSize: 100 }),
    bookCount: aggregate(Author, 'books', 'count'),
    lastBook: aggregate(
      Author,
      'books',
      { max: 'title' },
      { em: (context: { orm: MikroORM }) => context.orm.em.fork() },
    ),
  },
  Book: { author: relation(Book, 'author') },
};

// @ts-expect-error a property that does not exist is caught by the compiler
relation(Author, 'booklets');

export function codeOf(error: unknown): BatchLoaderErrorCode | undefined {
  return error instanceof BatchLoaderError ? error.code : undefined;
}

// Options pass through as they are, undefined included.
export function withWindow(batchWindow: BatchLoaderOptions['batchWindow']): void {
  batchLoader({ batchWindow });
}

export function isOptionsError(error: unknown): error is OptionsError {
  return error instanceof OptionsError;
}

// @ts-expect-error an option that does not exist is caught by the compiler too
batchLoader({ maxBatchSizes: 1000 });
