import { Type, type MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';

/*
 * The schema of the batch-loader tests: one relation of every kind that a lazy load can meet. Keys are chosen so that a
 * mix-up shows: tables share ids, two owners share a relation's name and target (`tags`), numbers are also strings.
 */

/** A key of a custom type: a class instance in JavaScript, text with a prefix in the database. */
export class Code {
  readonly value: string;
  constructor(value: string) {
    this.value = value;
  }
  toString(): string {
    return this.value;
  }
  toJSON(): string {
    return this.value;
  }
}

class CodeType extends Type<Code, string> {
  override convertToDatabaseValue(value: Code | string): string {
    const text = String(value);
    return text.startsWith('db:') ? text : `db:${text}`;
  }
  override convertToJSValue(value: string | Code): Code {
    return value instanceof Code ? value : new Code(value.replace(/^db:/, ''));
  }
  override compareAsType(): string {
    return 'string';
  }
  override getColumnType(): string {
    return 'varchar(50)';
  }
}

export const Tag = defineEntity({
  name: 'Tag',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    weight: p.integer(),
    books: () => p.manyToMany(Book).mappedBy('tags'),
  },
});

export const Publisher = defineEntity({
  name: 'Publisher',
  properties: {
    id: p.uuid().primary(),
    name: p.string(),
    code: p.string().unique(),
    books: () => p.oneToMany(Book).mappedBy('publisher').orderBy({ title: 'desc' }),
    imprints: () => p.oneToMany(Imprint).mappedBy('publisher'),
  },
});

/** Refers to its publisher by a unique column that is not the primary key. */
export const Imprint = defineEntity({
  name: 'Imprint',
  properties: {
    id: p.integer().primary(),
    label: p.string(),
    publisher: () => p.manyToOne(Publisher).ref().targetKey('code').nullable(),
  },
});

export const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    born: p.date().nullable(),
    bio: p.text().lazy().ref().nullable(),
    notes: p.text().lazy().nullable(),
    address: () => p.embedded(Address).nullable(),
    mentor: () => p.manyToOne(Author).ref().nullable(),
    pupils: () => p.oneToMany(Author).mappedBy('mentor'),
    books: () => p.oneToMany(Book).mappedBy('author'),
    tags: () => p.manyToMany(Tag).owner(),
    friends: () => p.manyToMany(Author).owner(),
    ranking: () => p.manyToMany(Tag).owner().fixedOrder(),
    profile: () => p.oneToOne(Profile).mappedBy('author').ref().nullable(),
  },
});

export const Address = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: { street: p.string(), city: p.string() },
});

export const Profile = defineEntity({
  name: 'Profile',
  properties: {
    id: p.bigint().primary(),
    motto: p.string(),
    author: () => p.oneToOne(Author).owner().ref().inversedBy('profile'),
  },
});

export const Book = defineEntity({
  name: 'Book',
  filters: {
    /** On unless a call says otherwise: hides withdrawn books. */
    available: { name: 'available', cond: { withdrawn: false }, default: true },
    /** Off unless a call asks for it, with a parameter. */
    atLeast: { name: 'atLeast', cond: (args: { pages: number }) => ({ pages: { $gte: args.pages } }), default: false },
  },
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    pages: p.integer(),
    price: p.decimal('string').precision(10).scale(2),
    published: p.datetime().nullable(),
    withdrawn: p.boolean(),
    genre: p.enum(['novel', 'essay', 'poem']),
    keywords: p.array(),
    meta: p.json<{ shelf: number; mint?: boolean }>().nullable(),
    summary: p.text().lazy().ref().nullable(),
    author: () => p.manyToOne(Author).ref(),
    editor: () => p.manyToOne(Author).ref().nullable(),
    publisher: () => p.manyToOne(Publisher).ref().nullable(),
    tags: () => p.manyToMany(Tag).owner().inversedBy('books'),
    readers: () => p.manyToMany(Person).owner(),
    copies: () => p.oneToMany(Copy).mappedBy('book'),
  },
});

/** Composite key: book and number. */
export const Copy = defineEntity({
  name: 'Copy',
  primaryKeys: ['book', 'number'],
  properties: {
    book: () => p.manyToOne(Book).ref().primary(),
    number: p.integer().primary(),
    shelf: p.string(),
    loans: () => p.oneToMany(Loan).mappedBy('copy'),
    marks: () => p.manyToMany(Tag).owner(),
  },
});

/** Refers to a composite key; its own key is a bigint. */
export const Loan = defineEntity({
  name: 'Loan',
  properties: {
    id: p.bigint().primary(),
    copy: () => p.manyToOne(Copy).ref(),
    borrower: () => p.manyToOne(Person).ref().nullable(),
    day: () => p.manyToOne(Day).ref().nullable(),
    slip: () => p.manyToOne(Slip).ref().nullable(),
  },
});

/** A Date as key. */
export const Day = defineEntity({
  name: 'Day',
  properties: {
    at: p.datetime().primary(),
    weather: p.string(),
    loans: () => p.oneToMany(Loan).mappedBy('day'),
  },
});

/** A custom type as key. */
export const Slip = defineEntity({
  name: 'Slip',
  properties: {
    code: p.type(CodeType).primary(),
    colour: p.string(),
    loans: () => p.oneToMany(Loan).mappedBy('slip'),
  },
});

/** Single-table inheritance. The root is abstract: MikroORM's joins to a concrete one leave its subclasses out. */
export const Person = defineEntity({
  name: 'Person',
  abstract: true,
  discriminatorColumn: 'kind',
  properties: {
    id: p.integer().primary(),
    kind: p.string(),
    name: p.string(),
    loans: () => p.oneToMany(Loan).mappedBy('borrower'),
  },
});

export const Student = defineEntity({
  name: 'Student',
  extends: Person,
  discriminatorValue: 'student',
  properties: { school: p.string().nullable() },
});

export const Teacher = defineEntity({
  name: 'Teacher',
  extends: Person,
  discriminatorValue: 'teacher',
  properties: { subject: p.string().nullable() },
});

/** Table-per-type inheritance. */
export const Animal = defineEntity({
  name: 'Animal',
  inheritance: 'tpt',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    toys: () => p.oneToMany(Toy).mappedBy('animal'),
  },
});

export const Dog = defineEntity({ name: 'Dog', extends: Animal, properties: { breed: p.string() } });

export const Cat = defineEntity({ name: 'Cat', extends: Animal, properties: { lives: p.integer() } });

/** A to-one to a TPT entity, and a polymorphic one. */
export const Toy = defineEntity({
  name: 'Toy',
  properties: {
    id: p.integer().primary(),
    label: p.string(),
    animal: () => p.manyToOne(Animal).ref().nullable(),
    about: () => p.manyToOne([Author, Book]).ref().nullable(),
  },
});

export const ENTITIES = [
  Tag,
  Publisher,
  Imprint,
  Author,
  Address,
  Profile,
  Book,
  Copy,
  Loan,
  Day,
  Slip,
  Person,
  Student,
  Teacher,
  Animal,
  Dog,
  Cat,
  Toy,
];

/** How many rows of the larger tables `fillLibrary` writes. */
export const SIZES = {
  tags: 7,
  publishers: 4,
  authors: 9,
  books: 24,
  people: 8,
  animals: 6,
  toys: 14,
  loans: 30,
  days: 4,
  slips: 4,
};

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/**
 * Writes the library, as SQL rows so that nothing under test has a part in it. `random` decides what belongs to whom;
 * a tenth of the nullable references is null, some collections are empty.
 *
 * @param random numbers from 0 to below 1
 */
export async function fillLibrary(orm: MikroORM, random: () => number): Promise<void> {
  const int = (max: number): number => Math.floor(random() * max);
  const maybe = <T>(value: T): T | null => (random() < 0.15 ? null : value);
  const pick = <T>(list: readonly T[]): T => list[int(list.length)]!;
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
  const connection = orm.driver.getConnection();
  const insert = async (table: string, rows: readonly Record<string, unknown>[]): Promise<void> => {
    for (const row of rows) {
      const columns = Object.keys(row);
      await connection.execute(
        `insert into "${table}" (${columns.map(c => `"${c}"`).join(', ')}) values (${columns.map(() => '?').join(', ')}) on conflict do nothing`,
        columns.map(c => row[c]),
        'run',
      );
    }
  };
  await insert(
    'tag',
    range(SIZES.tags).map(id => ({ id, name: `tag ${id % 4}`, weight: id % 3 })),
  );
  await insert(
    'publisher',
    range(SIZES.publishers).map(n => ({ id: uuid(n), name: `house ${n}`, code: `P${n}` })),
  );
  await insert(
    'imprint',
    range(6).map(id => ({ id, label: `imprint ${id}`, publisher_id: maybe(`P${1 + int(SIZES.publishers)}`) })),
  );
  await insert(
    'author',
    range(SIZES.authors).map(id => ({
      id,
      name: `author ${id % 5}`,
      born: maybe(`19${10 + id}-0${1 + (id % 9)}-01`),
      bio: maybe(`bio of ${id}`),
      notes: maybe(`notes of ${id}`),
      address_street: `street ${id % 3}`,
      address_city: `city ${id % 2}`,
      mentor_id: id === 1 ? null : maybe(1 + int(id - 1)),
    })),
  );
  await insert(
    'profile',
    range(SIZES.authors - 2).map(id => ({
      id: `${9_007_199_254_740_990n + BigInt(id)}`,
      motto: `motto ${id}`,
      author_id: id,
    })),
  );
  await insert(
    'person',
    range(SIZES.people).map(id => {
      const kind = pick(['student', 'teacher']);
      return {
        id,
        kind,
        name: `person ${id % 3}`,
        school: kind === 'student' ? maybe(`school ${id % 2}`) : null,
        subject: kind === 'teacher' ? maybe(`subject ${id % 2}`) : null,
      };
    }),
  );
  await insert(
    'book',
    range(SIZES.books).map(id => ({
      id,
      title: pick([`Dune ${id}`, `dune ${id}`, `it's $1 ? -- ${id}`, `emma ${id % 3}`]),
      pages: 50 * (1 + int(8)),
      price: `${int(90)}.${10 + int(80)}`,
      published: maybe(`2020-0${1 + int(9)}-1${int(9)}T0${int(9)}:30:00.123Z`),
      withdrawn: random() < 0.15,
      genre: pick(['novel', 'essay', 'poem']),
      keywords: `{k${int(3)},k${3 + int(3)}}`,
      meta: maybe(JSON.stringify(random() < 0.5 ? { shelf: int(3) } : { shelf: int(3), mint: true })),
      summary: maybe(`summary of ${id}`),
      author_id: 1 + int(SIZES.authors - 1),
      editor_id: maybe(1 + int(SIZES.authors)),
      publisher_id: maybe(uuid(1 + int(SIZES.publishers))),
    })),
  );
  const links = (
    table: string,
    left: string,
    lefts: number,
    right: string,
    rights: number,
    each: number,
  ): Promise<void> =>
    insert(
      table,
      range(lefts).flatMap(l => Array.from({ length: int(each + 1) }, () => ({ [left]: l, [right]: 1 + int(rights) }))),
    );
  // In an order of its own: neither that of the keys nor the other way round.
  const ranked = [3, 1, 5, 2];
  await insert(
    'author_ranking',
    range(SIZES.authors).flatMap(author_id => ranked.slice(0, int(5)).map(tag_id => ({ author_id, tag_id }))),
  );
  await links('author_tags', 'author_id', SIZES.authors, 'tag_id', SIZES.tags, 4);
  await links('author_friends', 'author_1_id', SIZES.authors, 'author_2_id', SIZES.authors, 4);
  await links('book_tags', 'book_id', SIZES.books, 'tag_id', SIZES.tags, 4);
  await links('book_readers', 'book_id', SIZES.books, 'person_id', SIZES.people, 3);
  const copies = range(SIZES.books - 4).flatMap(book_id =>
    range(int(4)).map(number => ({ book_id, number, shelf: `shelf ${number % 2}` })),
  );
  await insert('copy', copies);
  await insert(
    'copy_marks',
    copies.flatMap(c =>
      range(int(3)).map(() => ({ copy_book_id: c.book_id, copy_number: c.number, tag_id: 1 + int(SIZES.tags) })),
    ),
  );
  await insert(
    'day',
    range(SIZES.days).map(n => ({ at: `2024-03-0${n}T12:00:00.000Z`, weather: `weather ${n % 2}` })),
  );
  await insert(
    'slip',
    range(SIZES.slips).map(n => ({ code: `db:slip-${n}`, colour: `colour ${n % 2}` })),
  );
  await insert(
    'loan',
    range(SIZES.loans).map(id => {
      const copy = pick(copies);
      return {
        id: `${9_007_199_254_740_990n + BigInt(id)}`,
        copy_book_id: copy.book_id,
        copy_number: copy.number,
        borrower_id: maybe(1 + int(SIZES.people)),
        day_at: maybe(`2024-03-0${1 + int(SIZES.days)}T12:00:00.000Z`),
        slip_code: maybe(`db:slip-${1 + int(SIZES.slips)}`),
      };
    }),
  );
  await insert(
    'animal',
    range(SIZES.animals).map(id => ({ id, name: `animal ${id}` })),
  );
  await insert(
    'dog',
    range(SIZES.animals)
      .filter(id => id % 2)
      .map(id => ({ id, breed: `breed ${id}` })),
  );
  await insert(
    'cat',
    range(SIZES.animals)
      .filter(id => !(id % 2))
      .map(id => ({ id, lives: id })),
  );
  await insert(
    'toy',
    range(SIZES.toys).map(id => {
      const kind = pick(['author', 'book']);
      return {
        id,
        label: `toy ${id}`,
        animal_id: maybe(1 + int(SIZES.animals)),
        about_type: kind,
        about_id: 1 + int(SIZES.authors),
      };
    }),
  );
}
