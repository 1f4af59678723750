import { type MikroORM, wrap } from '@mikro-orm/core';
import { batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { openOrm } from '../harness/orm.ts';
import { Author, Book, ENTITIES, Tag } from './library.ts';

/** A library of one author, one book with a copy, and two tags; `place` is in every name. */
async function openLibrary(place: string): Promise<MikroORM> {
  const orm = await openOrm({ entities: ENTITIES, extensions: [batchLoader()] });
  for (const sql of [
    `insert into author (id, name, bio, address_street, address_city) values (1, 'author ${place}', 'bio ${place}', '', '')`,
    `insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id) values (1, 'book ${place}', 9, 1, false, 'novel', '{}', 1)`,
    `insert into tag (id, name, weight) values (1, 'tag ${place}', 1), (2, 'tag 2', 2)`,
    `insert into book_tags (book_id, tag_id) values (1, 1)`,
    `insert into copy (book_id, number, shelf) values (1, 1, 'shelf ${place}')`,
  ]) {
    await orm.em.getConnection().execute(sql);
  }
  return orm;
}

/** The entities of a fork, and every kind of lazy load from them. */
async function visit(orm: MikroORM, options: object = {}) {
  const em = orm.em.fork();
  const book = await em.findOneOrFail(Book, 1, options);
  const author = await em.findOneOrFail(Author, 1, options);
  const tag = em.getReference(Tag, 1, { wrapped: true });
  const loads: Record<string, () => Promise<unknown>> = {
    'tag.load()': async () => (await tag.load())?.name,
    'tag.loadOrFail()': async () => (await tag.loadOrFail()).name,
    'book.tags.loadItems()': async () => (await book.tags.loadItems()).map(it => it.name),
    'book.copies.load()': async () => (await book.copies.load()).getItems().map(it => it.shelf),
    'book.copies.init()': async () => (await book.copies.init()).getItems().map(it => it.shelf),
    'book.tags.loadCount()': () => book.tags.loadCount(),
    'author.bio.load()': async () => author.bio?.load(),
    'wrap(author).init()': async () => (await wrap(author).init())?.name,
    'wrap(book).populate()': async () => (await wrap(book).populate(['tags'])).tags.getItems().map(it => it.name),
  };
  return { em, book, author, tag, loads };
}

const answers = (place: string): Record<string, unknown> => ({
  'tag.load()': `tag ${place}`,
  'tag.loadOrFail()': `tag ${place}`,
  'book.tags.loadItems()': [`tag ${place}`],
  'book.copies.load()': [`shelf ${place}`],
  'book.copies.init()': [`shelf ${place}`],
  'book.tags.loadCount()': 1,
  'author.bio.load()': `bio ${place}`,
  'wrap(author).init()': `author ${place}`,
  'wrap(book).populate()': [`tag ${place}`],
});

/** `code: message` of the error that a promise is rejected with, or what it resolved to. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string };
    return `${code ?? name}: ${message}`;
  }
}

async function outcomes(loads: Record<string, () => Promise<unknown>>): Promise<Record<string, unknown>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(loads).map(async ([name, load]) => [name, await outcome(load())])),
  );
}

const only = <T>(all: Record<string, T>, names: readonly string[]): Record<string, T> =>
  Object.fromEntries(names.map(name => [name, all[name]!]));
const eachOf = (loads: Record<string, unknown>, error: (entity: string) => string): Record<string, string> =>
  Object.fromEntries(Object.keys(loads).map(name => [name, error(/tag\.|author|book/.exec(name)![0])]));
const ENTITY: Record<string, string> = { 'tag.': 'Tag[1]', author: 'Author[1]', book: 'Book[1]' };

let orm: MikroORM;
beforeAll(async () => {
  orm = await openLibrary('here');
});

test('the loads of this file answer, when nothing is wrong', async () => {
  const { loads } = await visit(orm);
  expect(await outcomes(loads)).toEqual(answers('here'));
});

describe('a limit or offset that is no whole number of zero or more is refused', () => {
  const wrong: [unknown, string][] = [
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [2 ** 31, '2147483648'],
    ['1', "'1'"],
    ['', "''"],
    [1n, '1n'],
    [true, 'true'],
    [[1], '[ 1 ]'],
    [{}, '{}'],
  ];

  test.each(wrong)('%o', async (value, shown) => {
    const { book } = await visit(orm);
    const message = (what: string): string =>
      `ARGUMENT: ${what} takes a whole number from 0 to 2147483647, but got: ${shown}. Leave it out to load all items.`;
    expect(await outcome(book.tags.load({ limit: value as number }))).toBe(message('Book.tags.load({ limit })'));
    expect(await outcome(book.copies.loadItems({ offset: value as number }))).toBe(
      message('Book.copies.load({ offset })'),
    );
    expect(await outcome(book.copies.init({ limit: 1, offset: value as number }))).toBe(
      message('Book.copies.load({ offset })'),
    );
  });

  test('by itself: other loads of the same window are answered', async () => {
    const { book, loads } = await visit(orm);
    const [refused, answered] = await Promise.all([outcome(book.copies.load({ limit: -1 })), outcomes(loads)]);
    expect(refused).toMatch(/^ARGUMENT: /);
    expect(answered).toEqual(answers('here'));
  });

  test('null and undefined are none', async () => {
    const { book } = await visit(orm);
    expect(await book.tags.loadItems({ limit: null as never, offset: undefined as never })).toHaveLength(1);
  });
});

describe('em.clear()', () => {
  const detached = (entity: string): string =>
    `DETACHED: Cannot load ${ENTITY[entity]}: em.clear() detached it from its EntityManager. Find it again, or work on a fork of its own (em.fork()).`;

  // MikroORM hydrates a lazy scalar in the identity map only, where these entities are not.
  const asInMikroOrm = { 'author.bio.load()': undefined };

  test('a load of an entity that it detached is refused', async () => {
    const { em, loads } = await visit(orm);
    em.clear();
    expect(await outcomes(loads)).toEqual(eachOf(loads, detached));
  });

  test('what is found again loads', async () => {
    const { em, book } = await visit(orm);
    em.clear();
    const again = await em.findOneOrFail(Book, 1);
    expect((await again.tags.loadItems()).map(it => it.name)).toEqual(['tag here']);
    expect(await outcome(book.tags.loadItems())).toBe(detached('book'));
  });

  test('it does not touch the entities of another fork', async () => {
    const { em } = await visit(orm);
    const { loads } = await visit(orm);
    em.clear();
    expect(await outcomes(loads)).toEqual(answers('here'));
  });

  test('loads that were called before it are answered', async () => {
    const { em, loads } = await visit(orm);
    // One load per collection: a second one with other options waits for the first, and is refused then.
    const names = ['tag.load()', 'book.tags.loadItems()', 'book.copies.load()', 'book.tags.loadCount()'];
    const called = outcomes(only(loads, names));
    // The calls have reached the loader, their window is still open.
    await new Promise<void>(resolve => process.nextTick(resolve));
    em.clear();
    expect(await called).toEqual(only(answers('here'), names));
  });

  test('what was found with disableIdentityMap, which MikroORM clears itself, goes on loading', async () => {
    const { loads } = await visit(orm, { disableIdentityMap: true });
    expect(await outcomes(loads)).toEqual({ ...answers('here'), ...asInMikroOrm });
  });

  test('so it does where the whole ORM has no identity map', async () => {
    const without = await openOrm({
      url: orm.config.get('clientUrl')!,
      entities: ENTITIES,
      extensions: [batchLoader()],
      disableIdentityMap: true,
    });
    const { loads } = await visit(without);
    expect(await outcomes(loads)).toEqual({ ...answers('here'), ...asInMikroOrm });
  });
});

describe('orm.close()', () => {
  const closed = (entity: string): string =>
    `CLOSED: Cannot load ${ENTITY[entity]}: the ORM was closed. Await every load before orm.close(), or call orm.reconnect().`;
  /** An ORM that leaves its database behind when it is closed. */
  const openAgain = (): Promise<MikroORM> =>
    openOrm({ url: orm.config.get('clientUrl')!, entities: ENTITIES, extensions: [batchLoader()] });

  test('a load after it is refused', async () => {
    const other = await openAgain();
    const { loads } = await visit(other);
    await other.close();
    expect(await outcomes(loads)).toEqual(eachOf(loads, closed));
  });

  test('the same load is answered after orm.reconnect()', async () => {
    const other = await openAgain();
    const { loads } = await visit(other);
    await other.close();
    await outcomes(loads);
    await other.reconnect();
    expect(await outcomes(loads)).toEqual(answers('here'));
  });

  test('a load that it overtakes is answered or refused', async () => {
    const other = await openAgain();
    const { loads } = await visit(other);
    const called = outcomes(loads);
    await new Promise<void>(resolve => process.nextTick(resolve));
    await other.close();
    for (const [name, result] of Object.entries(await called)) {
      expect([answers('here')[name], 'an error'], name).toContainEqual(
        typeof result === 'string' && /^\w+: /.test(result) ? 'an error' : result,
      );
    }
  });
});

describe('an entity of another ORM', () => {
  const foreign =
    'FOREIGN_ENTITY: Cannot load Book[1]: it is managed by another ORM instance. Use the EntityManager it came from.';

  test('is refused, and reads nothing', async () => {
    const there = await openLibrary('there');
    const { em } = await visit(orm);
    const { book } = await visit(there);
    expect(await outcome(em.populate(book, ['tags']))).toBe(foreign);
    expect(await outcome(em.populate(new Set([book]) as never, ['tags'] as never))).toBe(foreign);
    expect(await outcome(em.findOne(Book, book as never, { refresh: true }))).toBe(foreign);
    expect(book.tags.isInitialized()).toBe(false);
    expect(book.title).toBe('book there');
  });

  test('loads from its own database, whatever is loaded at the same time', async () => {
    const there = await openLibrary('there');
    const [here, elsewhere] = [await visit(orm), await visit(there)];
    expect(await Promise.all([outcomes(here.loads), outcomes(elsewhere.loads)])).toEqual([
      answers('here'),
      answers('there'),
    ]);
  });
});

describe('what does not exist:', () => {
  test('a relation', async () => {
    const { book, em } = await visit(orm);
    expect(await outcome(wrap(book).populate(['nope'] as never))).toBe(
      "ValidationError: Entity 'Book' does not have property 'nope'",
    );
    expect(await outcome(em.populate(book, ['nope'] as never))).toBe(
      "ValidationError: Entity 'Book' does not have property 'nope'",
    );
    expect(await outcome(book.copies.load({ populate: ['nope'] as never }))).toBe(
      "ValidationError: Entity 'Copy' does not have property 'nope'",
    );
  });

  test('a property to ask by', async () => {
    const { book } = await visit(orm);
    const where = { nope: 1 } as never;
    expect(await outcome(book.tags.load({ where }))).toBe('Error: Trying to query by not existing property Tag.nope');
    expect(await outcome(book.copies.load({ where }))).toBe(
      'Error: Trying to query by not existing property Copy.nope',
    );
    expect(await outcome(book.copies.loadCount({ where }))).toBe(
      'Error: Trying to query by not existing property Copy.nope',
    );
    expect(await outcome(book.tags.load({ orderBy: { nope: 1 } as never }))).toBe(
      'Error: Trying to order by not existing property Tag.nope',
    );
  });

  test('which fails its own call only', async () => {
    const { book, loads } = await visit(orm);
    const [refused, answered] = await Promise.all([
      outcome(wrap(book).populate(['nope'] as never)),
      outcomes({ ...loads, 'book.copies.init()': () => Promise.resolve(['shelf here']) }),
      outcome(book.copies.loadCount({ where: { nope: 1 } as never })),
    ]);
    expect(refused).toMatch(/^ValidationError: /);
    expect(answered).toEqual(answers('here'));
  });

  test('a row', async () => {
    const { em } = await visit(orm);
    expect(await em.getReference(Author, 404, { wrapped: true }).load()).toBe(null);
    expect(await outcome(em.getReference(Author, 404, { wrapped: true }).loadOrFail())).toBe(
      'NotFoundError: Author not found (404)',
    );
  });
});

describe('what is no managed entity:', () => {
  test.each([
    [{ id: 1 }, 'object'],
    ['Book', 'string'],
    [1, 'number'],
  ])('em.populate(%o)', async (value, type) => {
    const { em } = await visit(orm);
    const message = `ValidationError: Trying to populate not discovered entity of type ${type}.`;
    expect(await outcome(em.populate(value as never, ['tags'] as never))).toBe(message);
    expect(await outcome(em.populate([value] as never, ['tags'] as never))).toBe(message);
  });

  test('a new entity', async () => {
    const message =
      'ValidationError: Entity Author is not managed. An entity is managed if its fetched from the database or registered as new through EntityManager.persist()';
    const author = orm.em
      .fork()
      .create(Author, { id: 2, name: 'new', address: null, bio: null, notes: null, born: null } as never);
    expect(await outcome(wrap(author).init())).toBe(message);
    expect(await outcome(wrap(author).populate(['books'] as never))).toBe(message);
    expect(await outcome(author.books.loadCount())).toBe(message);
    expect(await author.books.loadItems()).toEqual([]);
  });
});
