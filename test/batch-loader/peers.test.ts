import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RequestContext, raw, wrap } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { openOrm } from '../harness/orm.ts';
import { type Recorder, recordQueries } from '../harness/recorder.ts';
import { keysOf } from './statement-keys.ts';
import { Animal, Author, Book, Copy, ENTITIES, Loan, Person, Tag, Toy } from './library.ts';

/*
 * Plain loops: which calls become which statements, what is handed out later and what is not any more. That the answers
 * are right is the differential test's.
 */

type Orm = Awaited<ReturnType<typeof openOrm>>;
type Em = ReturnType<Orm['em']['fork']>;

let url: string;
let orm: Orm;
let recorder: Recorder;

beforeAll(async () => {
  ({ url } = await openDatabase());
  orm = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ peers: true })] });
  await orm.schema.create();
  await orm.driver.getConnection().execute(`
    insert into author (id, name, address_street, address_city, bio, notes) select n, 'author ' || n, 's', 'c', 'bio ' || n, 'notes ' || n from generate_series(1, 4) n;
    insert into publisher select ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'house ' || n, 'P' || n from generate_series(1, 2) n;
    insert into imprint select n, 'imprint ' || n, 'P' || n from generate_series(1, 2) n;
    insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id, editor_id, publisher_id)
      select n, 'book ' || n, 10 * n, 1, false, 'novel', '{}', 1 + (n - 1) / 2, case when n < 4 then 1 + n % 4 end, ('00000000-0000-4000-8000-00000000000' || 1 + n % 2)::uuid from generate_series(1, 8) n;
    insert into tag select n, 'tag ' || n, n from generate_series(1, 3) n;
    insert into book_tags select n, 1 + n % 3 from generate_series(1, 8) n;
    insert into copy select n, m, 'shelf' from generate_series(1, 2) n, generate_series(1, 2) m;
    insert into person (id, kind, name) select n, case when n % 2 = 0 then 'student' else 'teacher' end, 'person ' || n from generate_series(1, 4) n;
    insert into loan (id, copy_book_id, copy_number, borrower_id) select n, 1 + n % 2, 1 + n % 2, n from generate_series(1, 4) n;
    insert into animal select n, 'animal ' || n from generate_series(1, 4) n;
    insert into dog (id, breed) select n, 'breed' from generate_series(1, 2) n;
    insert into cat (id, lives) select n, 9 from generate_series(3, 4) n;
    insert into toy (id, label, animal_id, about_type, about_id) select n, 'toy ' || n, n, case when n % 2 = 0 then 'author' else 'book' end, n from generate_series(1, 4) n;
  `);
  // The first limit reads what the catalog says of the table.
  const [author] = await authorsOf(orm.em.fork());
  await author!.books.loadItems({ limit: 1 });
  recorder = recordQueries(orm);
});

beforeEach(() => recorder.clear());

/** The statements since, columns and all left out that is not the point. */
const statements = (): string[] =>
  recorder.take().map(({ sql }) =>
    sql
      .replace(/select .*? from "(\w+)".*?(?= where|$)/, 'from $1')
      .replaceAll(/"\w\d"\./g, '')
      .replaceAll('"', '')
      .replace(/in \(\?\)$/, '= ?'),
  );

/** How many statements since. */
const sent = (): number => recorder.take().length;

const inOrder = { orderBy: { id: 'asc' } } as const;
const authorsOf = (em: Em): Promise<(typeof Author)['~entity'][]> =>
  em.find(Author, {}, inOrder) as Promise<(typeof Author)['~entity'][]>;
const booksOf = (em: Em): Promise<(typeof Book)['~entity'][]> =>
  em.find(Book, {}, inOrder) as Promise<(typeof Book)['~entity'][]>;

async function loop<Item, T>(items: readonly Item[], call: (item: Item, index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const [index, item] of items.entries()) {
    results.push(await call(item, index));
  }
  return results;
}

/** In the order of the keys: where none is asked for, PostgreSQL promises none. */
const ids = (items: Iterable<object>): unknown[] =>
  [...items].map(item => (item as { id: number }).id).toSorted((a, b) => a - b);

describe('a plain loop is one statement', () => {
  test('over references', async () => {
    const books = await booksOf(orm.em.fork());
    recorder.clear();
    const authors = await loop(books, book => book.author.loadOrFail());
    expect(ids(authors)).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    expect(statements()).toEqual(['from author where id = ?']);
  });

  test('over references without a Ref, by wrap(e).init()', async () => {
    const books = await booksOf(orm.em.fork());
    recorder.clear();
    const authors = await loop(books.slice(0, 7), book => wrap(book.author.unwrap()).init());
    // The second init() of an entity reads it again, as init() does.
    expect(ids(authors as object[])).toEqual([1, 1, 2, 2, 3, 3, 4]);
    expect(statements()).toEqual(Array<string>(4).fill('from author where id = ?'));
  });

  test('over whole collections, 1:M and M:N, from both sides', async () => {
    const em = orm.em.fork();
    const authors = await authorsOf(em);
    recorder.clear();
    expect((await loop(authors, author => author.books.loadItems())).map(ids)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    expect(statements()).toEqual(['from book where withdrawn = ? and author_id in (?, ?, ?, ?)']);
    const books = await booksOf(em);
    recorder.clear();
    expect((await loop(books, book => book.tags.loadItems())).map(ids)).toEqual([
      [2],
      [3],
      [1],
      [2],
      [3],
      [1],
      [2],
      [3],
    ]);
    expect(statements()).toHaveLength(1);
    const tags = await em.find(Tag, {}, inOrder);
    recorder.clear();
    expect(await loop(tags, async tag => (await tag.books.load()).length)).toEqual([2, 3, 3]);
    expect(statements()).toHaveLength(1);
  });

  test('over lists with a condition, a limit, an order, which leave the peers’ collections alone', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    const [first] = await loop(authors.slice(0, 1), author =>
      author.books.loadItems({ where: { pages: { $gt: 10 } } }),
    );
    expect(ids(first!)).toEqual([2]);
    expect(authors.map(author => author.books.isInitialized())).toEqual([true, false, false, false]);
    const rest = await loop(authors.slice(1), author => author.books.loadItems({ where: { pages: { $gt: 10 } } }));
    expect(rest.map(ids)).toEqual([
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    expect(authors[1]!.books.isPartial()).toBe(true);
    expect(sent()).toBe(1);
    const latest = await loop(authors, author => author.books.loadItems({ limit: 1, orderBy: { id: 'desc' } }));
    expect(latest.map(ids)).toEqual([[2], [4], [6], [8]]);
    expect(sent()).toBe(1);
    expect(() => authors[3]!.books.add(authors[3]!.books[0]!)).toThrow(/marked as readonly/);
    expect((await loop(authors, author => author.books.loadItems())).map(ids)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    expect(authors[3]!.books.isPartial()).toBe(false);
  });

  test('over init() of a 1:M', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    expect((await loop(authors, author => author.books.init())).map(ids)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    expect(sent()).toBe(1);
  });

  test('over counts', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    expect(await loop(authors, author => author.books.loadCount())).toEqual([2, 2, 2, 2]);
    expect(await loop(authors, author => author.books.loadCount({ where: { pages: { $gt: 30 } } }))).toEqual([
      0, 1, 2, 2,
    ]);
    expect(statements()).toEqual([
      'from book where withdrawn = ? and author_id in (?, ?, ?, ?) group by author_id',
      'from book where withdrawn = ? and pages > ? and author_id in (?, ?, ?, ?) group by author_id',
    ]);
  });

  test('over lazy scalars', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    expect(await loop(authors, author => author.bio!.load())).toEqual(['bio 1', 'bio 2', 'bio 3', 'bio 4']);
    expect(await loop(authors, async author => (await wrap(author).populate(['notes'])).notes)).toEqual([
      'notes 1',
      'notes 2',
      'notes 3',
      'notes 4',
    ]);
    expect(sent()).toBe(2);
  });

  test('at each level of nested loops', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    const names: string[] = [];
    for (const author of authors) {
      for (const book of await author.books.loadItems()) {
        for (const tag of await book.tags.loadItems()) {
          names.push(`${(await book.publisher!.loadOrFail()).name} ${tag.name} ${await tag.books.loadCount()}`);
        }
      }
    }
    expect(names).toHaveLength(8);
    expect(names[0]).toBe('house 2 tag 2 3');
    expect(sent()).toBe(4);
  });

  test('over composite keys, single-table and table-per-type inheritance, polymorphic references', async () => {
    const em = orm.em.fork();
    const loans = await em.find(Loan, {}, inOrder);
    const people = await em.find(Person, {}, inOrder);
    const animals = await em.find(Animal, {}, inOrder);
    recorder.clear();
    expect(await loop(loans, async loan => (await loan.copy.loadOrFail()).shelf)).toEqual(Array(4).fill('shelf'));
    expect(await loop(people, person => person.loans.loadCount())).toEqual([1, 1, 1, 1]);
    expect(await loop(animals, async animal => ids(await animal.toys.loadItems()))).toEqual([[1], [2], [3], [4]]);
    // One for the copies; students and teachers, dogs and cats are classes of their own.
    expect(sent()).toBe(5);
    const toys = await em.find(Toy, {}, inOrder);
    recorder.clear();
    const abouts = await loop(
      toys,
      async ({ about }) => (await (about as { load(): Promise<object> }).load()).constructor.name,
    );
    expect(abouts).toEqual(['Book', 'Author', 'Book', 'Author']);
    expect(sent()).toBe(2);
  });

  test('over Promise.all and loops alike: each asks once', async () => {
    const books = await booksOf(orm.em.fork());
    recorder.clear();
    await Promise.all(books.map(book => book.author.load()));
    await loop(books, book => book.author.load());
    expect(sent()).toBe(1);
  });
});

describe('peers are', () => {
  type Published = Pick<(typeof Book)['~entity'], 'publisher'>;
  const publishers = (items: readonly Published[]): Promise<unknown> => loop(items, item => item.publisher!.load());

  const results: [string, (em: Em) => Promise<readonly Published[]>][] = [
    ['found', em => em.find(Book, {})],
    ['found by findAll()', em => em.findAll(Book)],
    ['found by findAndCount()', async em => (await em.findAndCount(Book, {}))[0]],
    ['found by a cursor', async em => (await em.findByCursor(Book, { first: 9, orderBy: { id: 'asc' } })).items],
    ['built by a query', em => em.createQueryBuilder(Book).select('*').getResult()],
    ['mapped', async em => (await em.execute('select * from book')).map(row => em.map(Book, row as never))],
    ['populated', async em => (await em.find(Author, {}, { populate: ['books'] })).flatMap(it => it.books.getItems())],
    [
      'populated by a join',
      async em =>
        (await em.find(Author, {}, { populate: ['books'], strategy: 'joined' })).flatMap(it => it.books.getItems()),
    ],
    [
      'populated through a pivot table',
      async em => (await em.find(Tag, {}, { populate: ['books'] })).flatMap(it => it.books.getItems()),
    ],
    [
      'found before, in other results',
      async em => {
        await em.findOneOrFail(Book, 3);
        await em.find(Book, { id: { $gt: 5 } });
        return em.find(Book, {});
      },
    ],
  ];

  test.each(results)('%s', async (_, find) => {
    const books = await find(orm.em.fork());
    expect(books).toHaveLength(8);
    recorder.clear();
    await publishers(books);
    expect(sent()).toBe(1);
  });

  test('those of the latest result, for what is in several', async () => {
    const em = orm.em.fork();
    const low = await em.find(Book, { id: { $lte: 3 } }, inOrder);
    const high = await em.find(Book, { id: { $gte: 4 } }, inOrder);
    recorder.clear();
    // Author 2 wrote a book of each.
    expect(low[2]!.author.unwrap()).toBe(high[0]!.author.unwrap());
    await loop(high, book => book.author.load());
    await loop(low, book => book.author.load());
    expect(recorder.queries.map(keysOf)).toEqual([[2, 3, 4], [1]]);
  });

  test('not of another relation: an editor brings no author', async () => {
    const em = orm.em.fork();
    const books = await em.find(Book, { id: [1, 3] }, inOrder);
    recorder.clear();
    await loop(books, book => book.editor!.load());
    // Authors 1 and 2; editors 2 and 4: number 2 is both.
    expect(books.map(book => book.author.isInitialized())).toEqual([true, true]);
    const others = await orm.em.fork().find(Book, { id: [2, 3] }, inOrder);
    await loop(others, book => book.author.load());
    expect(others.map(book => book.editor!.isInitialized())).toEqual([false, false]);
  });

  test('at most `max`', async () => {
    const few = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ peers: { max: 3 } })] });
    using seen = recordQueries(few);
    const books = await booksOf(few.em.fork());
    seen.clear();
    await loop(books, book => book.tags.load());
    expect(seen.queries.map(({ params }) => params.length)).toEqual([3, 3, 2]);
  });

  test('nobody without the option', async () => {
    const plain = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader()] });
    using seen = recordQueries(plain);
    const books = await booksOf(plain.em.fork());
    seen.clear();
    await loop(books, book => book.author.load());
    expect(seen.queries).toHaveLength(4);
  });
});

describe('nothing is loaded for peers', () => {
  test('that are loaded', async () => {
    const authors = await authorsOf(orm.em.fork());
    await Promise.all([authors[1]!.books.load(), authors[2]!.books.load()]);
    const before = authors[1]!.books.getItems();
    recorder.clear();
    await authors[0]!.books.load();
    expect(recorder.queries.map(({ params }) => params)).toEqual([]);
    expect(authors[1]!.books.getItems()).toEqual(before);
  });

  test('that are to be removed, or were changed', async () => {
    const em = orm.em.fork();
    const books = await booksOf(em);
    em.remove(books[2]!.author.unwrap());
    (books[4]!.author.unwrap() as { name: string }).name = 'changed';
    recorder.clear();
    await em.find(Tag, {}, { flushMode: 'commit' as never });
    recorder.clear();
    em.setFlushMode('commit' as never);
    await books[0]!.author.load();
    expect(recorder.queries.map(keysOf)).toEqual([[1, 4]]);
    expect((books[4]!.author.unwrap() as { name: string }).name).toBe('changed');
  });

  test('of another fork, or that em.clear() detached', async () => {
    const em = orm.em.fork();
    const old = await booksOf(em);
    em.clear();
    const books = await em.find(Book, { id: { $lte: 2 } }, inOrder);
    recorder.clear();
    await loop(books, book => book.tags.load());
    expect(recorder.queries.map(({ params }) => params)).toEqual([[1, 2]]);
    expect(old.map(book => book.tags.isInitialized())).toEqual(Array(8).fill(false));
  });

  test('by loads that do more than read, or less', async () => {
    const em = orm.em.fork();
    const authors = await authorsOf(em);
    const books = await booksOf(em);
    recorder.clear();
    await authors[0]!.books.load({ refresh: true });
    await authors[0]!.books.load({ populate: ['tags'] });
    await authors[1]!.books.load({ fields: ['books.title'] as never });
    await authors[1]!.books.loadItems({ filters: false });
    await books[0]!.tags.init();
    await books[0]!.publisher!.load({ refresh: true });
    expect([
      authors[2]!.books.isInitialized(),
      books[5]!.tags.isInitialized(),
      books[5]!.publisher!.isInitialized(),
    ]).toEqual([false, false, false]);
  });
});

describe('what was read for a peer is not handed out', () => {
  const loadCount = (author: { books: { loadCount(): Promise<number> } }): Promise<number> => author.books.loadCount();
  const insert = (id: number): string =>
    `insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id) values (${id}, 'late', 1, 1, false, 'novel', '{}', 2)`;
  const data = (id: number) =>
    ({ id, title: 'late', pages: 1, price: '1', withdrawn: false, genre: 'novel', keywords: [], author: 2 }) as never;

  test.each<[string, (em: Em) => Promise<unknown>]>([
    ['insert()', em => em.insert(Book, data(100))],
    ['insertMany()', em => em.insertMany(Book, [data(100)])],
    ['upsert()', em => em.upsert(Book, data(100))],
    ['nativeUpdate()', em => em.nativeUpdate(Book, { id: 5 }, { author: 2 } as never)],
    ['em.execute()', em => em.execute(insert(100))],
    ['a connection', em => em.getConnection().execute(insert(100))],
    ['a query builder', em => em.createQueryBuilder(Book).insert(data(100)).execute()],
    [
      'Kysely',
      em =>
        (em.getKysely() as never as { insertInto(t: string): { values(v: object): { execute(): Promise<unknown> } } })
          .insertInto('book')
          .values({
            id: 100,
            title: 'late',
            pages: 1,
            price: 1,
            withdrawn: false,
            genre: 'novel',
            keywords: [],
            author_id: 2,
          })
          .execute(),
    ],
    ['a transaction', em => em.transactional(inner => inner.insert(Book, data(100)))],
    [
      'begin() and commit()',
      async em => {
        await em.begin();
        await em.insert(Book, data(100));
        await em.commit();
      },
    ],
    [
      'a flush',
      async em => {
        em.create(Book, data(100));
        await em.flush();
      },
    ],
    ['a flush to come', async em => void em.persist(em.create(Book, data(100)))],
  ])('after %s', async (_, write) => {
    const em = orm.em.fork();
    const authors = await authorsOf(em);
    try {
      expect(await loadCount(authors[0]!)).toBe(2);
      await write(em);
      expect(await loadCount(authors[1]!)).toBe(3);
    } finally {
      await orm.em.fork().execute('delete from book where id >= 100; update book set author_id = 3 where id = 5');
    }
  });

  test.each<[string, (author: (typeof Author)['~entity']) => Promise<number>]>([
    ['a collection', async author => (await author.books.loadItems()).length],
    ['a list', async author => (await author.books.loadItems({ where: { pages: { $gte: 1 } } })).length],
    ['init()', async author => (await author.books.init()).length],
  ])('after a native write: %s', async (_, read) => {
    const em = orm.em.fork();
    const authors = await authorsOf(em);
    try {
      expect(await read(authors[0]!)).toBe(2);
      await em.insert(Book, data(100));
      expect(await read(authors[1]!)).toBe(3);
      // What was asked for is the identity map's from then on.
      expect(await read(authors[0]!)).toBe(2);
    } finally {
      await orm.em.fork().execute('delete from book where id >= 100');
    }
  });

  test('after a native write: references and lazy scalars', async () => {
    const em = orm.em.fork();
    const books = await booksOf(em);
    const authors = await authorsOf(orm.em.fork());
    const fork = wrap(authors[0]!, true).__em as Em;
    try {
      await books[0]!.author.load();
      await authors[0]!.bio!.load();
      await em.nativeUpdate(Author, { id: [2, 3] }, { name: 'renamed', bio: null } as never);
      await fork.execute('select 1');
      expect((await books[2]!.author.loadOrFail()).name).toBe('renamed');
      expect(await authors[1]!.bio!.load()).toBe(null);
      em.getUnitOfWork().computeChangeSets();
      fork.getUnitOfWork().computeChangeSets();
      expect([em.getUnitOfWork().getChangeSets(), fork.getUnitOfWork().getChangeSets()]).toEqual([[], []]);
    } finally {
      await orm.em.fork().execute(`update author set name = 'author ' || id, bio = 'bio ' || id`);
    }
  });

  test('under other filters, schemas, sessions or after clear()', async () => {
    const em = orm.em.fork();
    em.addFilter({
      name: 'own',
      entity: [Book] as never,
      cond: ((args: { n: number }) => ({ id: { $lte: args.n } })) as never,
    });
    em.setFilterParams('own', { n: 8 });
    const authors = await authorsOf(em);
    expect(await loadCount(authors[0]!)).toBe(2);
    em.setFilterParams('own', { n: 3 });
    expect(await loadCount(authors[1]!)).toBe(1);
  });

  test('twice: each owner’s answer is served at most once, and not where a fresh one is wanted', async () => {
    const em = orm.em.fork();
    const authors = await authorsOf(em);
    const where = { pages: { $gt: 0 } };
    const count = (n: number): Promise<number> => authors[n]!.books.loadCount({ where });
    await count(0);
    recorder.clear();
    await count(1);
    expect(sent()).toBe(0);
    await count(1);
    expect(sent()).toBe(1);
    await authors[2]!.books.loadCount({ where, refresh: true });
    expect(sent()).toBe(1);
    await authors[2]!.books.loadCount({ where });
    expect(sent()).toBe(0);
  });

  test('after changes to what init() would take back', async () => {
    const books = await booksOf(orm.em.fork());
    const [first, , second] = books.map(book => book.author.unwrap());
    await wrap(first!).init();
    (second as { name: string }).name = 'changed';
    recorder.clear();
    expect(((await wrap(second!).init()) as { name: string }).name).toBe('author 2');
    expect(sent()).toBe(1);
  });
});

describe('a loop whose calls have nothing in common', () => {
  test('has its peers left in peace after two rounds in vain', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    await loop(authors, (author, n) => author.books.loadCount({ where: { pages: { $gt: n } } }));
    expect(recorder.queries.map(({ params }) => params.length - 2)).toEqual([4, 4, 1, 1]);
  });

  test('or with two each has two', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    await loop(authors, async author => {
      await author.books.loadCount({ where: { pages: { $gt: 10 } } });
      await author.books.loadCount({ where: { pages: { $gt: 20 } } });
      return author.books.loadItems({ limit: 1 });
    });
    expect(sent()).toBe(3);
  });
});

describe('a missing row', () => {
  test('is asked for once', async () => {
    const em = orm.em.fork();
    const copies = await em.find(Copy, {}, { orderBy: { book: 'asc', number: 'asc' } });
    await em.execute('update book set withdrawn = true where id <= 2');
    try {
      recorder.clear();
      expect(await loop(copies, copy => copy.book.load())).toEqual([null, null, null, null]);
      expect(sent()).toBe(3);
    } finally {
      await em.execute('update book set withdrawn = false');
    }
  });
});

describe('a peer that fails', () => {
  test('leaves the asker answered, and is told when it is asked itself', async () => {
    const authors = await authorsOf(orm.em.fork());
    const divided = () => ({ [raw(alias => `1 / (${alias}.id - 5)`)]: { $lt: 2 } });
    recorder.clear();
    const condition = divided() as never;
    expect(ids(await authors[0]!.books.loadItems({ where: condition }))).toEqual([1, 2]);
    expect(sent()).toBe(2);
    expect(ids(await authors[1]!.books.loadItems({ where: condition }))).toEqual([3, 4]);
    await expect(authors[2]!.books.loadItems({ where: condition })).rejects.toThrow(/division by zero/);
    expect(sent()).toBe(2);
  });

  test('does not end a transaction', async () => {
    await orm.em.fork().transactional(async em => {
      const authors = await authorsOf(em);
      const where = { [raw(alias => `1 / (${alias}.id - 5)`)]: { $lt: 2 } } as never;
      expect(ids(await authors[0]!.books.loadItems({ where }))).toEqual([1, 2]);
      expect(await authors[0]!.books.loadCount({ where })).toBe(2);
    });
  });

  test('by the time it takes, leaves the asker answered', async () => {
    const em = orm.em.fork();
    await em.execute(`create or replace function slow(id int) returns int as $$ begin
      if id > 2 then perform pg_sleep(30); end if; return id; end $$ language plpgsql volatile;
      do $$ begin execute format('alter database %I set statement_timeout = 3000', current_database()); end $$`);
    const hasty = await openOrm({ url, entities: ENTITIES, extensions: [batchLoader({ peers: true })] });
    try {
      const [author] = await authorsOf(hasty.em.fork());
      const where = { [raw(alias => `slow(${alias}.id)`)]: { $gt: 0 } } as never;
      expect(ids(await author!.books.loadItems({ where }))).toEqual([1, 2]);
    } finally {
      await em.execute(
        `do $$ begin execute format('alter database %I reset statement_timeout', current_database()); end $$`,
      );
    }
  });
});

describe('in the middle of other things', () => {
  test('a request', async () => {
    await RequestContext.create(orm.em, async () => {
      const books = await booksOf(orm.em);
      recorder.clear();
      await loop(books, book => book.author.load());
      expect(sent()).toBe(1);
    });
  });

  test('a transaction: what was read outside is not handed out inside', async () => {
    await RequestContext.create(orm.em, async () => {
      const authors = await authorsOf(orm.em);
      await authors[0]!.books.loadCount();
      await orm.em.transactional(async em => {
        recorder.clear();
        expect(await loop(authors.slice(1), author => author.books.loadCount())).toEqual([2, 2, 2]);
        expect(recorder.queries.filter(({ sql }) => sql.startsWith('select'))).toHaveLength(1);
        const books = await booksOf(em);
        recorder.clear();
        await loop(books, book => book.tags.load());
        expect(sent()).toBe(1);
      });
    });
  });

  test('a flush in the loop: entities follow it', async () => {
    const em = orm.em.fork();
    const books = await booksOf(em);
    recorder.clear();
    await loop(books, async book => {
      await book.author.load();
      book.pages += 0;
      await em.flush();
    });
    expect(sent()).toBe(1);
  });

  test('a call of the same window or the next is the one that was made for it', async () => {
    const authors = await authorsOf(orm.em.fork());
    recorder.clear();
    const first = authors[0]!.books.loadItems();
    const same = authors[1]!.books.loadItems();
    await new Promise(resolve => setImmediate(resolve));
    const next = authors[2]!.books.loadItems();
    expect((await Promise.all([first, same, next])).map(ids)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(sent()).toBe(1);
  });
});

test('what nobody holds any more is gone, though a peer lives on', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const visit = async (): Promise<{ kept: object; gone: WeakRef<object>[] }> => {
    const em = orm.em.fork();
    const authors = await authorsOf(em);
    await loop(authors.slice(0, 1), async author => {
      await author.books.loadCount({ where: { pages: 10 } });
      await author.tags.load();
      await author.friends.loadItems({ where: { id: { $gt: 0 } } });
    });
    em.clear();
    // A managed entity leads to its fork; its peers must not be led to either.
    return { kept: authors[0]!, gone: authors.slice(1).map(author => new WeakRef(author)) };
  };
  const { kept, gone } = await visit();
  for (let turn = 0; turn < 5; turn++) {
    await new Promise(resolve => setTimeout(resolve, 10));
    collect();
  }
  expect(gone.map(one => one.deref())).toEqual([undefined, undefined, undefined]);
  expect(wrap(kept).isInitialized()).toBe(true);
});
