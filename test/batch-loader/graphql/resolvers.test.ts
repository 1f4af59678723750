import type { MikroORM } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { aggregate, connection, hints, relation } from '@mikrokit/batch-loader/graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import { type Recorder, recordQueries } from '../../harness/recorder.ts';
import { Author, Book, Copy, ENTITIES, Imprint, Loan, Publisher, Tag, Toy } from '../library.ts';
import { executable, MAJORS } from './executable.ts';

/*
 * What the resolvers answer, and with how many statements: one for each wave of an operation, however many parents there
 * are and wherever in the operation they stand.
 */

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader()] });
  await orm.em.getConnection().execute(`
    insert into publisher (id, name, code) select ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'house ' || n, 'P' || n from generate_series(1, 2) n;
    insert into imprint (id, label, publisher_id) select n, 'imprint ' || n, 'P' || (1 + n % 2) from generate_series(1, 4) n;
    insert into author (id, name, address_street, address_city, bio, mentor_id) select n, 'author ' || n, 's', 'c', 'bio ' || n, nullif(n - 1, 0) from generate_series(1, 3) n;
    insert into book (id, title, pages, price, withdrawn, genre, keywords, summary, author_id, publisher_id)
      select n, 'book ' || n, 10 * n, n + 0.5, n = 9, (array['novel', 'essay', 'poem'])[1 + n % 3], '{}', 'summary ' || n, 1 + (n - 1) / 3, ('00000000-0000-4000-8000-00000000000' || (1 + n % 2))::uuid from generate_series(1, 9) n;
    insert into tag select n, 'tag ' || n, n from generate_series(1, 3) n;
    insert into book_tags select n, 1 + n % 3 from generate_series(1, 9) n;
    insert into author_tags select n, n from generate_series(1, 3) n;
    insert into author_tags select 1, 2;
    insert into author_ranking (author_id, tag_id) values (1, 3), (1, 1), (2, 2);
    insert into copy select n, m, 'shelf' from generate_series(1, 2) n, generate_series(1, 2) m;
    insert into loan (id, copy_book_id, copy_number) select n, 1 + n % 2, 1 + n % 2 from generate_series(1, 4) n;
    insert into toy (id, label, about_type, about_id) values (1, 'bear', 'author', 1), (2, 'block', 'book', 2), (3, 'ball', null, null);
  `);
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

const SDL = /* GraphQL */ `
  type Query {
    authors: [Author!]!
    books: [Book!]!
    thin: [Book!]!
    authorsOnly: [Author!]!
    loans: [Loan!]!
    toys: [Toy!]!
    imprints: [Imprint!]!
    publishers: [Publisher!]!
    copies: [Copy!]!
  }
  type Author {
    id: Int
    name: String
    bio: String
    notes: String
    born: String
    mentor: Author
    tags: [Tag!]!
    ranking(limit: Int): [Tag!]!
    books(genre: String, limit: Int, offset: Int): [Book!]!
    all: [Book!]!
    page(first: Int, after: String, last: Int, before: String, genre: String): BookPage!
    bookCount(genre: String): Int!
    rankingCount: Int!
    hasBooks(genre: String): Boolean!
    pages(genre: String): Int
    price: String
    longest: Int
  }
  type BookPage {
    edges: [BookEdge!]!
    nodes: [Book!]!
    pageInfo: PageInfo!
    totalCount: Int!
  }
  type BookEdge {
    cursor: String!
    node: Book!
  }
  type PageInfo {
    hasNextPage: Boolean!
    hasPreviousPage: Boolean!
    startCursor: String
    endCursor: String
  }
  type Book {
    id: Int
    title: String
    pages: Int
    summary: String
    author(name: String): Author
    writer: Author
    publisher: Publisher
    tags(limit: Int): [Tag!]!
    copies: [Copy!]!
  }
  type Tag {
    id: Int
    name: String
    books: [Book!]!
  }
  type Copy {
    number: Int
    book: Book
    loans: [Loan!]!
  }
  type Loan {
    id: ID
    copy: Copy
  }
  type Publisher {
    id: ID
    name: String
    code: String
    imprints(limit: Int): [Imprint!]!
  }
  type Imprint {
    id: Int
    label: String
    publisher: Publisher
  }
  type Toy {
    label: String
    about: Subject
  }
  union Subject = Author | Book
`;

interface Context {
  em: MikroORM['em'];
}

const RESOLVERS = {
  Query: {
    authors: (_: unknown, __: unknown, { em }: Context) => em.find(Author, {}, { orderBy: { id: 'asc' } }),
    books: (_: unknown, __: unknown, { em }: Context) => em.find(Book, {}, { orderBy: { id: 'asc' } }),
    thin: (_: unknown, __: unknown, { em }: Context, info: GraphQLResolveInfo) =>
      em.find(
        Book,
        {},
        { ...hints(info, Book, { properties: { Book: { writer: 'author' } } }), orderBy: { id: 'asc' } },
      ),
    authorsOnly: (_: unknown, __: unknown, { em }: Context) =>
      em.find(Author, {}, { fields: ['name'], orderBy: { id: 'asc' } }),
    loans: (_: unknown, __: unknown, { em }: Context) => em.find(Loan, {}, { orderBy: { id: 'asc' } }),
    toys: (_: unknown, __: unknown, { em }: Context) => em.find(Toy, {}, { orderBy: { id: 'asc' } }),
    imprints: (_: unknown, __: unknown, { em }: Context) => em.find(Imprint, {}, { orderBy: { id: 'asc' } }),
    publishers: (_: unknown, __: unknown, { em }: Context) => em.find(Publisher, {}, { orderBy: { code: 'asc' } }),
    copies: (_: unknown, __: unknown, { em }: Context) =>
      em.find(Copy, {}, { orderBy: { book: 'asc', number: 'asc' } }),
  },
  Author: {
    mentor: relation(Author, 'mentor'),
    tags: relation(Author, 'tags'),
    ranking: relation(Author, 'ranking', {
      find: ({ limit }: { limit?: number }) => ({ limit, where: { weight: { $gt: 0 } } }),
    }),
    books: relation(Author, 'books', {
      find: ({ genre, limit, offset }: { genre?: 'novel'; limit?: number; offset?: number }) => ({
        where: { genre },
        limit,
        offset,
        ...(limit === undefined ? {} : { orderBy: { pages: 'desc' } }),
      }),
    }),
    all: relation(Author, 'books'),
    page: connection(Author, 'books', {
      find: ({ genre }: { genre?: 'novel'; first?: number }) => ({ where: { genre }, orderBy: { pages: 'desc' } }),
      defaultSize: 2,
      maxSize: 50,
    }),
    bookCount: aggregate(Author, 'books', 'count', {
      find: ({ genre }: { genre?: 'novel' }) => ({ where: { genre } }),
    }),
    rankingCount: aggregate(Author, 'ranking', 'count'),
    hasBooks: aggregate(Author, 'books', 'exists', {
      find: ({ genre }: { genre?: 'novel' }) => ({ where: { genre } }),
    }),
    pages: aggregate(
      Author,
      'books',
      { sum: 'pages' },
      { find: ({ genre }: { genre?: 'novel' }) => ({ where: { genre } }) },
    ),
    price: aggregate(Author, 'books', { avg: 'price' }),
    longest: aggregate(Author, 'books', { max: 'pages' }),
  },
  Book: {
    author: relation(Book, 'author', { find: ({ name }: { name?: string }) => ({ where: { name } }) }),
    writer: relation(Book, 'author'),
    publisher: relation(Book, 'publisher'),
    tags: relation(Book, 'tags', {
      find: ({ limit }: { limit?: number }) => ({ limit, ...(limit === undefined ? {} : { orderBy: { id: 'asc' } }) }),
    }),
    copies: relation(Book, 'copies'),
  },
  Tag: { books: relation(Tag, 'books') },
  Copy: { book: relation(Copy, 'book'), loans: relation(Copy, 'loans') },
  Loan: { copy: relation(Loan, 'copy') },
  Publisher: {
    imprints: relation(Publisher, 'imprints', {
      find: ({ limit }: { limit?: number }) => ({ limit, ...(limit === undefined ? {} : { orderBy: { id: 'asc' } }) }),
    }),
  },
  Imprint: { publisher: relation(Imprint, 'publisher') },
  Toy: { about: relation(Toy, 'about') },
};

describe.each(MAJORS)('graphql %s', (_, graphql) => {
  const run = executable(graphql, SDL, RESOLVERS);
  const ask = async (text: string, variables?: Record<string, unknown>) =>
    await run(text, { em: orm.em.fork() }, variables);
  /** Statements after the root's. */
  const statements = (): number => recorder.take().length - 1;

  describe('relation, without arguments', () => {
    test('to one: one statement for all parents, none for a key', async () => {
      const { books } = await ask('{ books { author { name } } }');
      expect(books).toContainEqual({ author: { name: 'author 2' } });
      expect(statements()).toBe(1);
      await ask('{ books { author { id } publisher { id __typename } } copies { number book { id } } }');
      expect(recorder.take()).toHaveLength(2);
    });

    test('to many, from both sides, down three levels: one statement each', async () => {
      const { authors } = await ask('{ authors { name all { title tags { name books { title } } } } }');
      expect(authors?.[0]).toEqual({
        name: 'author 1',
        all: expect.arrayContaining([
          {
            title: 'book 1',
            tags: [{ name: 'tag 2', books: expect.arrayContaining([{ title: 'book 4' }]) as unknown }],
          },
        ]) as unknown,
      });
      expect(statements()).toBe(3);
    });

    test('fields of different places and selections share a statement', async () => {
      const { a, b } = await ask('{ a: books { author { name } } b: loans { copy { book { author { born bio } } } } }');
      expect([a?.[0], b?.[0]]).toEqual([
        { author: { name: 'author 1' } },
        { copy: { book: { author: { born: null, bio: 'bio 1' } } } },
      ]);
      const { again } = await ask('{ again: books { x: writer { name } y: writer { born } z: author { name } } }');
      expect(again?.[0]).toEqual({ x: { name: 'author 1' }, y: { born: null }, z: { name: 'author 1' } });
      recorder.clear();
      await ask('{ books { x: writer { name } y: writer { born } z: author { name } } }');
      expect(statements()).toBe(1);
    });

    test('what hints() has read is not read again', async () => {
      const { thin } = await ask('{ thin { title writer { name } } }');
      expect(thin?.[0]).toEqual({ title: 'book 1', writer: { name: 'author 1' } });
      expect(statements()).toBe(0);
    });

    test('what somebody found with less is completed, in one statement', async () => {
      const { books, authorsOnly } = await ask(
        '{ authorsOnly { name } books { writer { name born bio notes mentor { name } } } }',
      );
      expect(authorsOnly).toHaveLength(3);
      expect(books?.[3]).toEqual({
        writer: { name: 'author 2', born: null, bio: 'bio 2', notes: null, mentor: { name: 'author 1' } },
      });
      const { thin } = await ask('{ thin { writer { name } } authors { all { pages summary } } }');
      expect(thin).toHaveLength(8);
    });

    test('items found with less are completed as well', async () => {
      const em = orm.em.fork();
      await em.find(Author, {}, { populate: ['books'], fields: ['name', 'books.title'] });
      recorder.clear();
      const { authors } = await run('{ authors { all { title pages summary } } }', { em });
      const [first] = authors![0]!['all'] as unknown[];
      expect(first).toEqual({ title: 'book 1', pages: 10, summary: 'summary 1' });
      // The authors; the books' other columns; their summaries.
      // What the catalog says is asked for once.
      const sent = recorder
        .take()
        .map(({ sql }) => sql)
        .filter(sql => !sql.includes('pg_attribute'));
      expect(sent.length, sent.join('\n')).toBeLessThanOrEqual(3);
    });

    test('lazy columns where they are selected', async () => {
      const { books } = await ask('{ books { summary writer { bio notes } } }'.replace('summary', 'title'));
      expect(books?.[0]).toEqual({ title: 'book 1', writer: { bio: 'bio 1', notes: null } });
      expect(statements()).toBe(1);
    });

    test('null, and a row that a filter hides', async () => {
      const { authors } = await ask('{ authors { mentor { name } } }');
      expect(authors).toEqual([{ mentor: null }, { mentor: { name: 'author 1' } }, { mentor: { name: 'author 2' } }]);
    });

    test('composite keys, and references by a unique column', async () => {
      const { loans, imprints } = await ask(
        '{ loans { copy { number book { title } } } imprints { publisher { name code } } }',
      );
      expect(loans?.[0]).toEqual({ copy: { number: 2, book: { title: 'book 2' } } });
      expect(imprints?.[0]).toEqual({ publisher: { name: 'house 2', code: 'P2' } });
    });

    test('polymorphic: one statement for each class', async () => {
      const { toys } = await ask(
        '{ toys { label about { ... on Author { name bio all { title } } ... on Book { title summary } } } }',
      );
      expect(toys).toEqual([
        { label: 'bear', about: { name: 'author 1', bio: 'bio 1', all: expect.any(Array) as unknown } },
        { label: 'block', about: { title: 'book 2', summary: 'summary 2' } },
        { label: 'ball', about: null },
      ]);
    });

    test('from a parent that is a mere reference', async () => {
      const em = orm.em.fork();
      const run2 = executable(graphql, SDL, {
        ...RESOLVERS,
        Query: { authors: () => [1, 2].map(id => em.getReference(Author, id)) },
      });
      const { authors } = await run2('{ authors { id all { title } mentor { name } } }', { em });
      expect(authors?.[1]).toMatchObject({ id: 2, mentor: { name: 'author 1' } });
      expect(authors?.[1]?.['all']).toHaveLength(3);
    });
  });

  describe('relation, with arguments', () => {
    test('a list of each parent: one statement', async () => {
      const { authors } = await ask('{ authors { books(genre: "novel") { title } } }');
      expect(authors).toEqual([{ books: [{ title: 'book 3' }] }, { books: [{ title: 'book 6' }] }, { books: [] }]);
      expect(statements()).toBe(1);
    });

    test('limits and offsets of each parent, aliases with other arguments', async () => {
      const { authors } = await ask(
        '{ authors { a: books(limit: 1) { title } b: books(limit: 2, offset: 1) { title } } }',
      );
      expect(authors?.[0]).toEqual({ a: [{ title: 'book 3' }], b: [{ title: 'book 2' }, { title: 'book 1' }] });
      expect(statements()).toBeLessThanOrEqual(2);
    });

    test('leaves the collection of the parent as it is', async () => {
      const em = orm.em.fork();
      const [author] = await em.find(Author, [1]);
      await run('{ authors { books(limit: 1) { title } } }', { em });
      expect(author!.books.isInitialized()).toBe(false);
    });

    test('an argument that was not given asks for nothing', async () => {
      const { authors } = await ask('query($genre: String) { authors { books(genre: $genre) { title } } }');
      expect(authors?.[0]?.['books']).toHaveLength(3);
    });

    test('an M:N, from its owner, its inverse, and one without an inverse', async () => {
      const { books, authors } = await ask(
        '{ books { tags(limit: 1) { name } } authors { ranking(limit: 1) { name } } }',
      );
      expect(books?.[0]).toEqual({ tags: [{ name: 'tag 2' }] });
      expect(authors).toEqual([{ ranking: [{ name: 'tag 3' }] }, { ranking: [{ name: 'tag 2' }] }, { ranking: [] }]);
      expect(recorder.take()).toHaveLength(4);
    });

    test('a relation by a unique column', async () => {
      const { publishers } = await ask('{ publishers { imprints(limit: 1) { label } } }');
      expect(publishers).toEqual([{ imprints: [{ label: 'imprint 2' }] }, { imprints: [{ label: 'imprint 1' }] }]);
      expect(statements()).toBe(1);
    });

    test('to one, if it meets a condition', async () => {
      const { books } = await ask('{ books { author(name: "author 2") { name } } }');
      expect(books?.[0]).toEqual({ author: null });
      expect(books?.[3]).toEqual({ author: { name: 'author 2' } });
      expect(statements()).toBe(1);
    });

    test.each(['limit: -1', 'offset: -1'])('%s is an error, and no query', async argument => {
      await expect(ask(`{ authors { books(${argument}) { title } } }`)).rejects.toMatchObject({ code: 'ARGUMENT' });
      expect(statements()).toBe(0);
    });
  });

  describe('connection', () => {
    test('pages of all parents, with rest and total', async () => {
      const { authors } = await ask(`{ authors { page {
        edges { cursor node { title summary } } nodes { title } totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
      } } }`);
      expect(authors?.[0]).toEqual({
        page: {
          edges: [
            { cursor: expect.any(String) as unknown, node: { title: 'book 3', summary: 'summary 3' } },
            { cursor: expect.any(String) as unknown, node: { title: 'book 2', summary: 'summary 2' } },
          ],
          nodes: [{ title: 'book 3' }, { title: 'book 2' }],
          totalCount: 3,
          pageInfo: { hasNextPage: true, hasPreviousPage: false, endCursor: expect.any(String) as unknown },
        },
      });
      // Rows and totals: together where an index finds them, which this schema has not.
      expect(statements()).toBe(2);
    });

    test('on from a cursor, and back', async () => {
      const first = await ask('{ authors { page(first: 1) { edges { cursor } } } }');
      const { edges } = first['authors']![1]!['page'] as { edges: [{ cursor: string }] };
      const [{ cursor }] = edges;
      const { authors } = await ask(
        `query($after: String) { authors { page(first: 2, after: $after) { nodes { title } pageInfo { hasNextPage hasPreviousPage } } } }`,
        { after: cursor },
      );
      expect(authors?.[1]).toEqual({
        page: {
          nodes: [{ title: 'book 5' }, { title: 'book 4' }],
          pageInfo: { hasNextPage: false, hasPreviousPage: true },
        },
      });
      const back = await ask('{ authors { page(last: 1) { nodes { title } } } }');
      expect(back['authors']?.[0]).toEqual({ page: { nodes: [{ title: 'book 1' }] } });
    });

    test('a count alone reads no rows, nothing reads nothing', async () => {
      const { authors } = await ask('{ authors { page(genre: "novel") { totalCount } } }');
      expect(authors).toEqual([1, 1, 0].map(totalCount => ({ page: { totalCount } })));
      expect(recorder.sql).toHaveLength(2);
      expect(recorder.sql[1]).not.toMatch('title');
      recorder.clear();
      await ask('{ authors { page { __typename } } }');
      expect(statements()).toBe(0);
    });

    test('a total is not counted where nobody asks', async () => {
      await ask('{ authors { page { nodes { id } } } }');
      expect(recorder.sql.join(' ')).not.toMatch(/count\(/);
      expect(statements()).toBe(1);
    });

    test('a forged cursor and a size that is too large are errors, and no query', async () => {
      await expect(ask('{ authors { page(after: "bm9uc2Vuc2U=") { nodes { id } } } }')).rejects.toMatchObject({
        code: 'CURSOR',
      });
      await expect(ask('{ authors { page(first: 51) { nodes { id } } } }')).rejects.toThrow(
        'first must be at most 50, but got: 51',
      );
      await expect(ask('{ authors { page(first: -1) { nodes { id } } } }')).rejects.toMatchObject({ code: 'ARGUMENT' });
      expect(recorder.take()).toHaveLength(3);
    });
  });

  describe('aggregate', () => {
    test('one statement for each, and no entities', async () => {
      const { authors } = await ask(
        '{ authors { bookCount rankingCount hasBooks(genre: "novel") pages(genre: "novel") price longest } }',
      );
      expect(authors).toEqual([
        {
          bookCount: 3,
          rankingCount: 2,
          hasBooks: true,
          pages: 30,
          price: expect.stringMatching(/^2\.50*$/) as unknown,
          longest: 30,
        },
        {
          bookCount: 3,
          rankingCount: 1,
          hasBooks: true,
          pages: 60,
          price: expect.stringMatching(/^5\.50*$/) as unknown,
          longest: 60,
        },
        {
          bookCount: 2,
          rankingCount: 0,
          hasBooks: false,
          pages: null,
          price: expect.stringMatching(/^8\.0*$/) as unknown,
          longest: 80,
        },
      ]);
      expect(statements()).toBe(6);
    });

    test('an aggregate that there is not is an error at once', () => {
      expect(() => aggregate(Author, 'books', { median: 'pages' } as never)).toThrow(`but got: {"median":"pages"}`);
      expect(() => aggregate(Author, 'books', { sum: 'pages', max: 'pages' })).toThrow('but got');
    });
  });

  test('a context without an EntityManager, or with it elsewhere', async () => {
    await expect(run('{ authors { all { id } } }', {})).rejects.toThrow();
    const elsewhere = executable(graphql, SDL, {
      Query: RESOLVERS.Query,
      Author: { all: relation(Author, 'books', { em: ({ orm: own }: { orm: MikroORM }) => own.em.fork() }) },
    });
    await expect(elsewhere('{ authors { all { id } } }', { em: orm.em.fork(), orm })).resolves.toBeDefined();
    const none = executable(graphql, SDL, {
      Query: { authors: () => [orm.em.fork().getReference(Author, 1)] },
      Author: { all: relation(Author, 'books') },
    });
    await expect(none('{ authors { all { id } } }', {})).rejects.toThrow(
      'needs the EntityManager of its request as context.em',
    );
  });

  test('a relation that there is not is an error that names those that there are', async () => {
    const wrong = executable(graphql, SDL, { Query: RESOLVERS.Query, Author: { all: relation(Author, 'name') } });
    await expect(wrong('{ authors { all { id } } }', { em: orm.em.fork() })).rejects.toThrow(
      "The name of a relation of Author is needed, but got: 'name'. Its relations are: mentor, pupils, books",
    );
  });
});
