import { createRequire } from 'node:module';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { MikroORM } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { aggregate, connection, hints, relation, resolveReference } from '@mikrokit/batch-loader/graphql';
import fastify from 'fastify';
import type * as Graphql from 'graphql';
import type { GraphQLResolveInfo } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import mercurius from 'mercurius';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../../harness/orm.ts';
import { type Recorder, recordQueries } from '../../harness/recorder.ts';
import { Author, Book, type Code, Copy, ENTITIES, Profile, Publisher, Slip } from '../library.ts';

/*
 * The resolvers in the servers they are made for: Yoga, Mercurius (interpreted and compiled), and a subgraph of Apollo
 * Federation. The statements are the proof.
 */

let orm: MikroORM;
let recorder: Recorder;

beforeAll(async () => {
  orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader()] });
  await orm.em.getConnection().execute(`
    insert into publisher (id, name, code) select ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'house ' || n, 'P' || n from generate_series(1, 3) n;
    insert into author (id, name, address_street, address_city, bio) select n, 'author ' || n, 's', 'c', 'bio ' || n from generate_series(1, 3) n;
    insert into profile (id, motto, author_id) select 9007199254740993 + n, 'motto ' || n, n from generate_series(1, 3) n;
    insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id)
      select n, 'book ' || n, 10 * n, n, false, 'novel', '{}', 1 + (n - 1) / 3 from generate_series(1, 9) n;
    insert into copy select n, m, 'shelf ' || m from generate_series(2, 3) n, generate_series(1, 2) m;
    insert into slip (code, colour) select 'db:slip-' || n, 'colour ' || n from generate_series(1, 2) n;
  `);
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

/** The statements since, columns left out. */
const statements = (): string[] =>
  recorder.take().map(({ sql }) => sql.replaceAll(/select .*? from/g, 'select … from'));

interface Context {
  em: MikroORM['em'];
}

const SDL = /* GraphQL */ `
  type Query {
    authors: [Author!]!
    books: [Book!]!
    thin: [Author!]!
  }
  type Mutation {
    add(author: Int!, title: String!): Author!
    remove(book: Int!): Author!
  }
  type Author {
    id: Int!
    name: String!
    books(genre: String): [Book!]!
    all: [Book!]!
    shelf(first: Int, after: String): BookPage!
    bookCount: Int!
    pages: Int
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
  }
  type Book {
    id: Int!
    title: String!
    pages: Int!
    author: Author!
    copies: [Copy!]!
  }
  type Copy {
    number: Int!
    shelf: String!
  }
`;

let nextBook = 100;

const RESOLVERS = {
  Query: {
    authors: (_: unknown, __: object, { em }: Context) => em.find(Author, {}, { orderBy: { id: 'asc' } }),
    books: (_: unknown, __: object, { em }: Context) => em.find(Book, {}, { orderBy: { id: 'asc' } }),
    thin: (_: unknown, __: object, { em }: Context, info: GraphQLResolveInfo) =>
      em.find(
        Author,
        {},
        { ...hints(info, Author, { properties: { Author: { all: 'books' } } }), orderBy: { id: 'asc' } },
      ),
  },
  Mutation: {
    async add(_: unknown, { author, title }: { author: number; title: string }, { em }: Context) {
      const book = em.create(Book, {
        id: nextBook++,
        title,
        pages: 1,
        price: '1',
        withdrawn: false,
        genre: 'poem',
        keywords: [],
        author: em.getReference(Author, author),
      } as never);
      await em.flush();
      return book.author.load();
    },
    async remove(_: unknown, { book: id }: { book: number }, { em }: Context) {
      const book = await em.findOneOrFail(Book, id, { populate: ['author'] });
      const author = book.author.unwrap();
      await em.remove(book).flush();
      return author;
    },
  },
  Author: {
    books: relation(Author, 'books', {
      find: ({ genre }: { genre?: 'poem' }) => ({ where: { genre }, orderBy: { id: 'asc' } }),
    }),
    all: relation(Author, 'books'),
    shelf: connection(Author, 'books', { find: () => ({ orderBy: { title: 'asc' } }), defaultSize: 2 }),
    bookCount: aggregate(Author, 'books', 'count'),
    pages: aggregate(Author, 'books', { sum: 'pages' }),
  },
  Book: { author: relation(Book, 'author'), copies: relation(Book, 'copies') },
};

const WAVES =
  '{ authors { name all { title author { name } copies { shelf } } shelf { nodes { title } pageInfo { hasNextPage } } bookCount } }';

/** What is read for `WAVES`, in the order of the waves. The authors of the books are here already. */
const expectWaves = (sql: readonly string[]): void => {
  expect(sql).toHaveLength(5);
  expect(sql[0]).toMatch(/^select … from "author" as "a0" .*order by "a0"\."id" asc$/);
  // Lists, pages and counts are one wave, of three statements; the copies are the wave after that of the lists.
  expect(sql.filter(text => text.includes('"book" as "b0"'))).toHaveLength(3);
  expect(sql.filter(text => text.includes('from "copy"'))).toHaveLength(1);
};

interface Looked {
  bookCount: number;
  pages: number;
  all: { title: string }[];
  books: { title: string }[];
  shelf: { totalCount: number; nodes: { title: string }[] };
}

describe('Yoga', () => {
  const yoga = createYoga<object, Context>({
    schema: createSchema<Context>({ typeDefs: SDL, resolvers: RESOLVERS as never }),
    context: () => ({ em: orm.em.fork() }) as never,
    logging: false,
    maskedErrors: false,
  });

  const ask = async (query: string): Promise<{ data: Record<string, unknown>; errors?: unknown }> => {
    const response = await yoga.fetch('http://yoga/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return (await response.json()) as never;
  };

  test('as many statements as the operation has waves of them', async () => {
    // The first time, the extension looks at types and indexes in the catalog.
    await ask(WAVES);
    recorder.clear();
    const { data, errors } = await ask(WAVES);
    expect(errors).toBeUndefined();
    expect(data['authors']).toContainEqual({
      name: 'author 3',
      all: expect.arrayContaining([{ title: 'book 7', author: { name: 'author 3' }, copies: [] }]) as unknown,
      shelf: { nodes: [{ title: 'book 7' }, { title: 'book 8' }], pageInfo: { hasNextPage: true } },
      bookCount: 3,
    });
    expectWaves(statements());
  });

  test('hints', async () => {
    await ask('{ thin { name all { title } } }');
    expect(recorder.sql).toEqual([
      'select "a0"."id", "a0"."name" from "author" as "a0" order by "a0"."id" asc',
      expect.stringMatching(/^select "b0"\."id", "b0"\."author_id", "b0"\."title" from "book"/),
    ]);
  });

  test('the mutations of one operation run one after the other, and each sees what the last one wrote', async () => {
    const look =
      '{ name bookCount pages all { title } books(genre: "poem") { title } shelf(first: 9) { totalCount nodes { title } } }';
    const { data, errors } = await ask(
      `mutation {
        first: add(author: 1, title: "new 1") ${look}
        second: add(author: 1, title: "new 2") ${look}
        third: remove(book: 1) ${look}
        fourth: add(author: 2, title: "new 3") ${look}
      }`,
    );
    expect(errors).toBeUndefined();
    const titles = (list: readonly { title: string }[]): string =>
      list
        .map(({ title }) => title.replace('book ', ''))
        .sort()
        .join();
    const seen = (Object.values(data) as Looked[]).map(({ bookCount, pages, all, books, shelf }) => [
      bookCount,
      pages,
      titles(all),
      titles(books),
      shelf.totalCount,
      titles(shelf.nodes),
    ]);
    expect(seen).toEqual([
      [4, 61, '1,2,3,new 1', 'new 1', 4, '1,2,3,new 1'],
      [5, 62, '1,2,3,new 1,new 2', 'new 1,new 2', 5, '1,2,3,new 1,new 2'],
      [4, 52, '2,3,new 1,new 2', 'new 1,new 2', 4, '2,3,new 1,new 2'],
      [4, 151, '4,5,6,new 3', 'new 3', 4, '4,5,6,new 3'],
    ]);
    await orm.em.fork().nativeDelete(Book, { genre: 'poem' });
  });
});

describe.each([
  ['interpreted', 0],
  ['compiled', 1],
])('Mercurius, %s', (_, jit) => {
  const app = fastify();
  void app.register(mercurius, {
    schema: SDL,
    resolvers: RESOLVERS as never,
    context: () => ({ em: orm.em.fork() }),
    jit,
    subscription: false,
  });
  afterAll(async () => await app.close());

  const ask = async (
    query: string,
    variables: object = {},
  ): Promise<{ data: Record<string, unknown>; errors?: unknown }> => {
    const { body } = await app.inject({ method: 'POST', url: '/graphql', payload: { query, variables } });
    return JSON.parse(body) as never;
  };

  test('as many statements as the operation has waves of them', async () => {
    for (let time = 1; time <= 3; time++) {
      recorder.clear();
      const { errors } = await ask(WAVES);
      expect(errors).toBeUndefined();
      expectWaves(statements());
    }
  });

  test('one document with other variables is another selection', async () => {
    const query = 'query($full: Boolean!) { books { author { id name @include(if: $full) } } }';
    for (const full of [false, true, false, true]) {
      recorder.clear();
      const { data } = await ask(query, { full });
      expect(data['books']).toContainEqual({ author: full ? { id: 3, name: 'author 3' } : { id: 3 } });
      expect(recorder.queries).toHaveLength(full ? 2 : 1);
    }
  });

  test('the same, read by hints', async () => {
    const query =
      'query($full: Boolean!) { thin { name all { title author @include(if: $full) { name } pages @skip(if: $full) } } }';
    for (const full of [true, false, true, false]) {
      const { data, errors } = await ask(query, { full });
      expect(errors).toBeUndefined();
      const [author] = data['thin'] as { all: object[] }[];
      expect(Object.keys(author!.all[0]!)).toEqual(full ? ['title', 'author'] : ['title', 'pages']);
    }
  });
});

describe('Apollo Federation', () => {
  // Apollo is CommonJS, and `import` would be given the ES modules of graphql: two copies, which do not know each other.
  const { execute, parse } = createRequire(import.meta.url)('graphql') as typeof Graphql;
  const schema = buildSubgraphSchema([
    {
      typeDefs: parse(/* GraphQL */ `
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires"])
        type Query {
          ok: Boolean
        }
        type Author @key(fields: "id") {
          id: ID!
          name: String
          bio: String
          all: [Book!]!
        }
        type Book @key(fields: "id") {
          id: ID!
          title: String
          author: Author
        }
        type Publisher @key(fields: "id") @key(fields: "code") @key(fields: "brand") {
          id: ID!
          code: String!
          brand: String!
          name: String
        }
        type Copy @key(fields: "book { id } number") {
          book: Book!
          number: Int!
          shelf: String
        }
        type Profile @key(fields: "id") @key(fields: "author { id }") {
          id: ID!
          motto: String
          author: Author
        }
        type Slip @key(fields: "code") {
          code: ID!
          colour: String
        }
      `),
      resolvers: {
        Author: {
          __resolveReference: resolveReference(Author),
          all: relation(Author, 'books'),
          bio: ({ bio }: { bio?: { unwrap(): string } }) => bio?.unwrap(),
        },
        Book: { __resolveReference: resolveReference(Book), author: relation(Book, 'author') },
        Publisher: {
          __resolveReference: resolveReference(Publisher, { hints: { properties: { Publisher: { brand: 'code' } } } }),
          brand: (publisher: { code: string }) => publisher.code,
        },
        Copy: { __resolveReference: resolveReference(Copy), book: relation(Copy, 'book') },
        Profile: {
          __resolveReference: resolveReference(Profile),
          author: relation(Profile, 'author'),
          id: ({ id }: { id: bigint }) => String(id),
        },
        Slip: { __resolveReference: resolveReference(Slip), code: ({ code }: { code: Code }) => code.value },
      } as never,
    },
  ]);

  const ask = async (representations: unknown, selection: string): Promise<{ entities: unknown; errors: string[] }> => {
    const { data, errors } = await execute({
      schema,
      document: parse(`query($r: [_Any!]!) { _entities(representations: $r) { __typename ${selection} } }`),
      variableValues: { r: representations },
      contextValue: { em: orm.em.fork() },
    });
    return {
      entities: JSON.parse(JSON.stringify(data?.['_entities'] ?? null)) as unknown,
      errors: (errors ?? []).map(({ message }) => message),
    };
  };

  test('representations of one type and key are one statement; order and nulls are kept', async () => {
    const { entities, errors } = await ask(
      [
        { __typename: 'Author', id: '3' },
        { __typename: 'Publisher', code: 'P2' },
        { __typename: 'Author', id: '99' },
        { __typename: 'Book', id: 5 },
        { __typename: 'Author', id: 1 },
        { __typename: 'Publisher', id: '00000000-0000-4000-8000-000000000001' },
        { __typename: 'Publisher', code: 'none' },
        { __typename: 'Author', id: '3' },
      ],
      '... on Author { name bio } ... on Publisher { name } ... on Book { title }',
    );
    expect(errors).toEqual([]);
    expect(entities).toEqual([
      { __typename: 'Author', name: 'author 3', bio: 'bio 3' },
      { __typename: 'Publisher', name: 'house 2' },
      null,
      { __typename: 'Book', title: 'book 5' },
      { __typename: 'Author', name: 'author 1', bio: 'bio 1' },
      { __typename: 'Publisher', name: 'house 1' },
      null,
      { __typename: 'Author', name: 'author 3', bio: 'bio 3' },
    ]);
    expect(
      statements()
        .map(sql => /from "(\w+)"/.exec(sql)![1]!)
        .sort((a, b) => (a < b ? -1 : 1)),
    ).toEqual(['author', 'book', 'publisher', 'publisher']);
  });

  test('a hundred of one type are one statement, and what they lead to another', async () => {
    const { entities } = await ask(
      Array.from({ length: 100 }, (_, at) => ({ __typename: 'Author', id: String(1 + (at % 50)) })),
      '... on Author { all { title author { name } } }',
    );
    expect(entities).toHaveLength(100);
    expect(statements()).toHaveLength(2);
  });

  test('composite keys, foreign keys, big numbers, types of one’s own, and fields of other names', async () => {
    const { entities, errors } = await ask(
      [
        { __typename: 'Copy', book: { __typename: 'Book', id: '2' }, number: 2 },
        { __typename: 'Copy', book: { id: 3 }, number: 1 },
        { __typename: 'Copy', book: { id: 3 }, number: 7 },
        { __typename: 'Profile', id: '9007199254740995' },
        { __typename: 'Profile', author: { id: '3' } },
        { __typename: 'Slip', code: 'slip-2' },
        { __typename: 'Publisher', brand: 'P3' },
      ],
      '... on Copy { shelf book { title } } ... on Profile { motto } ... on Slip { colour } ... on Publisher { name }',
    );
    expect(errors).toEqual([]);
    expect(entities).toEqual([
      { __typename: 'Copy', shelf: 'shelf 2', book: { title: 'book 2' } },
      { __typename: 'Copy', shelf: 'shelf 1', book: { title: 'book 3' } },
      null,
      { __typename: 'Profile', motto: 'motto 2' },
      { __typename: 'Profile', motto: 'motto 3' },
      { __typename: 'Slip', colour: 'colour 2' },
      { __typename: 'Publisher', name: 'house 3' },
    ]);
  });

  test('what else a representation holds is passed over', async () => {
    const { entities } = await ask(
      [{ __typename: 'Author', id: '1', name: { $ne: '' }, $or: [{ id: 2 }], password: 'x' }],
      '... on Author { name }',
    );
    expect(entities).toEqual([{ __typename: 'Author', name: 'author 1' }]);
  });

  test.each([
    [{ id: { $gt: 0 } }, 'must hold a plain number as id, but got: a value of type object'],
    [{ id: { $in: [1, 2] } }, 'a value of type object'],
    [{ id: [1, 2] }, 'but got: a list'],
    [{ id: null }, 'but got: null'],
    [{ id: true }, 'a value of type boolean'],
    [{ id: '1 or 1=1' }, 'a value of type string'],
    [{ id: 'NaN' }, 'a value of type string'],
    [{ $or: [{ id: 1 }] }, "must have the fields of one of its keys ('id')"],
    [{ name: 'author 1' }, "but got: 'name'"],
    [{}, "but got: ''"],
    [JSON.parse('{ "__proto__": { "id": 1 } }') as object, 'must have the fields of one of its keys'],
  ])('%j is an error, never a query, and no fault of others', async (representation, message) => {
    const { entities, errors } = await ask(
      [
        { __typename: 'Author', ...representation },
        { __typename: 'Author', id: 2 },
      ],
      '... on Author { name }',
    );
    expect(errors).toEqual([expect.stringContaining(message) as unknown]);
    expect(entities).toEqual([null, { __typename: 'Author', name: 'author 2' }]);
    expect(recorder.take().flatMap(({ params }) => params)).toEqual([2, 1]);
  });

  test.each([
    [{ __typename: 'Publisher', id: 'x' }],
    [{ __typename: 'Publisher', code: { $like: '%' } }],
    [{ __typename: 'Publisher', code: 'a\0b' }],
    [{ __typename: 'Copy', book: { id: { $gt: 0 } }, number: 1 }],
    [{ __typename: 'Copy', book: { $or: [] }, number: 1 }],
    [{ __typename: 'Profile', id: '1.5' }],
    [{ __typename: 'Profile', author: { name: 'author 1' } }],
  ])('%j is none either', async representation => {
    const { errors } = await ask([representation], '... on Author { name }');
    expect(errors).toEqual([expect.stringMatching(/^A representation of /) as unknown]);
    expect(recorder.take()).toEqual([]);
  });
});
