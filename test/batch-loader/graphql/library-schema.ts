import { Collection, Reference, ScalarReference } from '@mikro-orm/core';
import type * as Graphql16 from 'graphql';
import { Code } from '../library.ts';

/*
 * The library as a GraphQL schema: a type for every entity, interfaces for the two kinds of inheritance, a union for the
 * polymorphic reference, connections, computed fields and names of its own.
 */

export const SDL = /* GraphQL */ `
  type Query {
    tags: [Tag!]!
    publishers: [Publisher!]!
    imprints: [Imprint!]!
    authors: [Author!]!
    author: Author
    authorPage: AuthorPage!
    profiles: [Profile!]!
    books: [Book!]!
    copies: [Copy!]!
    loans: [Loan!]!
    days: [Day!]!
    slips: [Slip!]!
    people: [Person!]!
    animals: [Animal!]!
    toys: [Toy!]!
    named: [Named!]!
    search: [Found!]!
  }
  interface Named {
    name: String
  }
  union Found = Author | Book | Mistake
  type Mistake {
    message: String
    name: String
  }
  type AuthorPage {
    authors: [Author!]!
    total: Int
  }

  type Tag implements Named {
    id: Int
    name: String
    weight: Int
    books: [Book!]!
  }
  type Publisher implements Named {
    id: ID
    name: String
    code: String
    books: [Book!]!
    imprints: [Imprint!]!
  }
  type CopyConnection {
    edges: [CopyEdge!]!
    nodes: [Copy!]!
    pageInfo: PageInfo!
    totalCount: Int!
  }
  type CopyEdge {
    cursor: String
    node: Copy
  }
  type PageInfo {
    hasNextPage: Boolean
  }
  type Imprint {
    id: Int
    label: String
    publisher: Publisher
  }
  type Author implements Named {
    id: Int
    name: String
    born: String
    bio: String
    notes: String
    address: Address
    mentor: Author
    pupils: [Author!]!
    writings: [Book!]!
    tags: [Tag!]!
    friends: [Author!]!
    profile: Profile
    "From name and born, which the option dependencies tells."
    title: String
    "From anything, which nobody tells."
    shout: String
    books(genre: String): [Book!]!
  }
  type Address {
    street: String
    city: String
    line: String
  }
  type Profile {
    id: ID
    motto: String
    author: Author
  }
  type Book {
    id: Int
    title: String
    pages: Int
    price: String
    published: String
    withdrawn: Boolean
    genre: String
    keywords: [String!]!
    summary: String
    author: Author
    editor: Author
    publisher: Publisher
    tags: [Tag!]!
    readers: [Person!]!
    copies: CopyConnection!
    blurb: String
  }
  type Copy {
    number: Int
    shelf: String
    book: Book
    loans: [Loan!]!
    marks: [Tag!]!
  }
  type Loan {
    id: ID
    copy: Copy
    borrower: Person
    day: Day
    slip: Slip
  }
  type Day {
    at: String
    weather: String
    loans: [Loan!]!
  }
  type Slip {
    code: String
    colour: String
    loans: [Loan!]!
  }
  interface Person implements Named {
    id: Int
    name: String
    loans: [Loan!]!
  }
  type Student implements Person & Named {
    id: Int
    name: String
    school: String
    loans: [Loan!]!
  }
  type Teacher implements Person & Named {
    id: Int
    name: String
    subject: String
    loans: [Loan!]!
  }
  interface Animal implements Named {
    id: Int
    name: String
    toys: [Toy!]!
  }
  type Dog implements Animal & Named {
    id: Int
    name: String
    breed: String
    toys: [Toy!]!
  }
  type Cat implements Animal & Named {
    id: Int
    name: String
    lives: Int
    toys: [Toy!]!
  }
  union Subject = Author | Book
  type Toy {
    id: Int
    label: String
    animal: Animal
    about: Subject
  }
`;

/** What the schema calls otherwise, and what its computed fields read. */
export const NAMES = {
  properties: { Author: { writings: 'books' } },
  dependencies: { Author: { title: ['name', 'born'] }, Address: { line: [] } },
};

type Source = Record<string, unknown>;

const computed: Record<string, (source: Source) => unknown> = {
  'Author.title': author => `${String(author['name'])}, ${String(author['born'])}`,
  'Author.shout': author => String(author['name']).toUpperCase(),
  'Author.writings': author => author['books'],
  'Address.line': address => `${String(address['street'])}, ${String(address['city'])}`,
  'Book.blurb': book => `${String(book['title'])}: ${String(book['pages'])} pages`,
  'CopyConnection.edges': connection => plain(connection).map(node => ({ node, cursor: String(node['number']) })),
  'CopyConnection.nodes': connection => connection,
  'CopyConnection.pageInfo': connection => ({ hasNextPage: plain(connection).length > 2 }),
  // A count that is loaded for itself; what it is does not matter here.
  'CopyConnection.totalCount': () => 7,
};

/**
 * GraphQL's default resolver, but for MikroORM's wrappers and for values that JSON has no word for. It loads nothing: what
 * has not been read is an error, or `null` where the row has a value.
 */
export function readProperty(
  source: unknown,
  _args: unknown,
  _context: unknown,
  info: Graphql16.GraphQLResolveInfo,
): unknown {
  const compute = computed[`${info.parentType.name}.${info.fieldName}`];
  return plain(compute ? compute(source as Source) : (source as Source)[info.fieldName]);
}

/** The type of an entity is called as its class. */
export const typeOf = (source: unknown): string => (source as object).constructor.name;

function plain(value: unknown): Source[];
function plain(value: unknown): unknown;
function plain(value: unknown): unknown {
  if (value instanceof Collection) {
    // A connection asked only for what needs no items is handed over unread.
    return value.isInitialized() ? value.getItems() : new Unread();
  }
  if (value instanceof ScalarReference) {
    return value.unwrap();
  }
  if (Reference.isReference(value)) {
    return value.unwrap();
  }
  if (value instanceof Date) {
    return value.toISOString();
  }
  return typeof value === 'bigint' || value instanceof Code ? String(value) : value;
}

/** A collection that nobody loaded. Not a list, so a field that needs one fails. */
class Unread {}
