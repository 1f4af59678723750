import {
  type Collection,
  DataloaderType,
  type EntityManager as CoreEntityManager,
  type EntityProperty,
  type MikroORM,
  Utils,
  helper,
  wrap,
} from '@mikro-orm/core';
import { EntityManager } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { type OrmOptions, openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Author, Book, ENTITIES, Tag } from './library.ts';

/*
 * What `packages/batch-loader/src/seam.ts` relies on in MikroORM, asked of MikroORM itself, without the extension. A test
 * that fails here after an update says which internal has moved; the seam is the one file to follow it.
 */

const moved = (internal: string): string => `MikroORM ${Utils.getORMVersion()} has moved ${internal}`;

let url: string;
beforeAll(async () => {
  ({ url } = await openDatabase());
  const orm = await openOrm({ url, entities: ENTITIES });
  await orm.schema.create();
  for (const sql of [
    `insert into author (id, name, bio, address_street, address_city) values (1, 'Austen', 'bio', '', ''), (2, 'Herbert', null, '', '')`,
    `insert into book (id, title, pages, price, withdrawn, genre, keywords, author_id) values (1, 'Emma', 9, 1, false, 'novel', '{}', 1), (2, 'Dune', 9, 1, false, 'novel', '{}', 2)`,
    `insert into tag (id, name, weight) values (1, 'one', 1), (2, 'two', 2)`,
    `insert into book_tags (book_id, tag_id) values (1, 1), (1, 2), (2, 2)`,
    `insert into copy (book_id, number, shelf) values (1, 1, 'a'), (1, 2, 'b')`,
  ]) {
    await orm.em.getConnection().execute(sql);
  }
});

const openLibrary = (options: Partial<OrmOptions>): Promise<MikroORM> =>
  openOrm({ url, entities: ENTITIES, ...options });

/** A call of a method of the EntityManager, without the options that do not matter to the seam. */
type Call = [method: string, ...args: unknown[]];
type Answer = (type: string, call: [it: unknown, options: Record<string, unknown>]) => unknown;

/** An EntityManager that notes the calls the seam stands in for, and whose dataloader gives what `answer` says. */
function spying(calls: Call[], answer: Answer = () => undefined): typeof EntityManager {
  const noted = [
    'find',
    'findOne',
    'populate',
    'count',
    'applyFilters',
    'prepareOptions',
    'getTransactionSessionContext',
    'tryFlush',
    'persist',
    'begin',
    'commit',
    'rollback',
    'transactional',
    'fork',
    'clear',
  ];
  class Spy extends EntityManager {
    override getDataLoader(type: 'ref'): Promise<never> {
      return Promise.resolve({
        load: (call: [it: unknown, options: Record<string, unknown>]) => {
          calls.push(['getDataLoader', type, call[0]]);
          return Promise.resolve(answer(type, call));
        },
      } as never);
    }
  }
  for (const name of noted) {
    const original = (EntityManager.prototype as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
    expect(original, moved(`EntityManager.${name}()`)).toBeTypeOf('function');
    Object.defineProperty(Spy.prototype, name, {
      value(this: EntityManager, ...args: unknown[]): unknown {
        calls.push([name, ...args]);
        return original!.apply(this, args);
      },
    });
  }
  return Spy as unknown as typeof EntityManager;
}

/** The calls of one method, of which there are some. */
const callsOf = (calls: readonly Call[], method: string): unknown[][] =>
  calls.filter(([name]) => name === method).map(([, ...args]) => args);

describe('the EntityManager class', () => {
  const extensions = [batchLoader()];

  test("without one in the config it extends the driver's own", async () => {
    const orm = await openLibrary({ extensions });
    expect(orm.em, moved('the fallback class of driver.createEntityManager()')).toBeInstanceOf(EntityManager);
    expect(
      await (orm.em.fork() as EntityManager).createQueryBuilder(Tag).getCount(),
      moved('em.createQueryBuilder()'),
    ).toBe(2);
  });

  test('forks, their forks and transactions have it too', async () => {
    const orm = await openLibrary({ extensions });
    const fork = orm.em.fork();
    const inTransaction = await fork.transactional(em => Promise.resolve(em));
    const classes = [fork, fork.fork(), inTransaction].map(em => em.constructor);
    expect(classes, moved('the class of em.fork()')).toEqual(classes.map(() => orm.em.constructor));
  });

  test("a user's own is extended", async () => {
    class OwnEntityManager extends EntityManager {
      shout(): string {
        return 'mine';
      }
    }
    const orm = await openLibrary({ extensions, entityManager: OwnEntityManager });
    expect((orm.em.fork() as OwnEntityManager).shout(), moved('config.entityManager')).toBe('mine');
    expect(await statementsOfTwoLoads(orm)).toHaveLength(1);
  });

  test.each(['before', 'after'])('another mixin composes, registered %s', async place => {
    const seen: unknown[] = [];
    const mixin = {
      register(orm: MikroORM): void {
        const Base = (orm.config.get('entityManager') ?? EntityManager) as typeof EntityManager;
        class Mixed extends Base {
          override find(...args: never[]): Promise<never> {
            seen.push(((args as unknown[])[0] as { name: string }).name);
            return (super.find as (...all: never[]) => Promise<never>)(...args);
          }
        }
        orm.config.set('entityManager', Mixed as never);
      },
    };
    const orm = await openLibrary({ extensions: place === 'before' ? [mixin, ...extensions] : [...extensions, mixin] });
    expect(await statementsOfTwoLoads(orm), moved('config.entityManager')).toHaveLength(1);
    expect(seen, moved('em.find(), which a batch of references is')).toEqual(['Author']);
  });

  async function statementsOfTwoLoads(orm: MikroORM): Promise<readonly string[]> {
    const em = orm.em.fork();
    using recorder = recordQueries(orm);
    await Promise.all([1, 2].map(id => em.getReference(Author, id, { wrapped: true }).load()));
    return recorder.sql;
  }
});

describe('em.getDataLoader(type).load([it, options])', () => {
  let calls: Call[];
  let answer: Answer;
  let orm: MikroORM;
  beforeAll(async () => {
    const spy = spying([], (type, call) => {
      calls.push(['getDataLoader', type, ...call]);
      return answer(type, call);
    });
    orm = await openLibrary({ dataloader: DataloaderType.ALL, entityManager: spy });
  });
  const begin = async (given: Answer) => {
    calls = [];
    answer = given;
    const em = orm.em.fork();
    return { em, book: await em.findOneOrFail(Book, 1) };
  };

  test("'ref' is asked by Reference.load(), which gives what it gives", async () => {
    const { em } = await begin(() => wrapped);
    const reference = em.getReference(Author, 1, { wrapped: true });
    const wrapped = reference.unwrap();
    const loaded = await reference.load({ populate: ['books'], filters: { available: false } });
    expect(calls, moved('Reference.load()')).toEqual([
      ['getDataLoader', 'ref', reference, { populate: ['books'], filters: { available: false } }],
    ]);
    expect(loaded, moved('what Reference.load() gives')).toBe(wrapped);
    answer = () => null;
    expect(await reference.load(), moved('what Reference.load() gives')).toBe(null);
  });

  test("'1:m' is asked by Collection.init(), which copies the items of the answer", async () => {
    const { em, book } = await begin(() => copies);
    const copies = await em.find('Copy' as never, {});
    expect(copies).toHaveLength(2);
    const returned = await book.copies.init({ where: { shelf: 'a' }, orderBy: { number: 'desc' } });
    expect(calls, moved('Collection.init()')).toEqual([
      [
        'getDataLoader',
        '1:m',
        book.copies,
        expect.objectContaining({ where: { shelf: 'a' }, orderBy: [{ number: 'desc' }] }),
      ],
    ]);
    expect(returned, moved('what Collection.init() gives')).toBe(book.copies);
    expect(book.copies.getItems(), moved('the items of Collection.init()')).toEqual(copies);
    expect(book.copies.getItems(), moved('the items of Collection.init(), which are copied')).not.toBe(copies);
    expect([book.copies.isInitialized(), book.copies.isDirty()], moved('the state of Collection.init()')).toEqual([
      true,
      false,
    ]);
  });

  test("'m:n' is asked by Collection.init(), which leaves the items to the collection", async () => {
    const { em, book } = await begin((_type, [it]) => {
      (it as Collection<object>).hydrate([em.getReference(Tag, 2)]);
      return [em.getReference(Tag, 1)];
    });
    await book.tags.init();
    expect(
      calls.map(([, type, it]) => [type, it]),
      moved('Collection.init()'),
    ).toEqual([['m:n', book.tags]]);
    expect(
      book.tags.getItems().map(tag => tag.id),
      moved('the items of an M:N Collection.init()'),
    ).toEqual([2]);
  });

  test("Collection.load() is init() with 'refresh: false'", async () => {
    const { book } = await begin(() => []);
    await book.copies.load();
    await book.copies.loadItems({ refresh: true });
    expect(
      calls.map(([, type, , options]) => [type, (options as { refresh: boolean }).refresh]),
      moved('Collection.load()'),
    ).toEqual([
      ['1:m', false],
      ['1:m', true],
    ]);
  });

  test('limit and offset, which MikroORM does not know, reach it', async () => {
    const { book } = await begin(() => []);
    await book.copies.load({ limit: 1, offset: 2 });
    expect(calls, moved('the options of Collection.load()')).toEqual([
      ['getDataLoader', '1:m', book.copies, expect.objectContaining({ limit: 1, offset: 2 })],
    ]);
  });

  test("'count' is asked by Collection.loadCount(), which gives what it gives", async () => {
    const { book } = await begin(() => 42);
    expect(await book.tags.loadCount({ where: { name: 'one' } }), moved('what Collection.loadCount() gives')).toBe(42);
    expect(
      calls.map(([, type, it, options]) => [type, it === book.tags, options]),
      moved('Collection.loadCount()'),
    ).toEqual([['count', true, { where: { name: 'one' } }]]);
  });

  test("is not asked with 'dataloader: false'", async () => {
    const { em, book } = await begin(() => []);
    await em.getReference(Author, 2, { wrapped: true }).load({ dataloader: false });
    await book.copies.load({ dataloader: false });
    await book.tags.loadCount({ dataloader: false });
    expect(calls, moved('the dataloader option of a load')).toEqual([]);
  });

  test('is not asked where the config says nothing of dataloaders', async () => {
    const asked: Call[] = [];
    const without = await openLibrary({ entityManager: spying(asked) });
    await without.em.fork().getReference(Author, 1, { wrapped: true }).load();
    expect(callsOf(asked, 'getDataLoader'), moved('the dataloader setting')).toEqual([]);
  });
});

describe('what the loader of MikroORM does not reach', () => {
  const begin = async () => {
    const calls: Call[] = [];
    const orm = await openLibrary({ entityManager: spying(calls) });
    const em = orm.em.fork();
    const book = await em.findOneOrFail(Book, 1);
    const author = await em.findOneOrFail(Author, 1);
    calls.length = 0;
    return { em, book, author, calls };
  };

  test('wrap(e).init() is em.findOne(Class, e, { refresh: true })', async () => {
    const { author, calls } = await begin();
    await wrap(author).init({ populate: ['books'] });
    const [given] = callsOf(calls, 'findOne');
    expect(given, moved('wrap(e).init()')).toEqual([
      author.constructor,
      author,
      { populate: ['books'], refresh: true, schema: helper(author).__schema },
    ]);
    expect(given![1], moved('wrap(e).init()')).toBe(author);
  });

  test('a lazy scalar is em.populate(e, [property], options)', async () => {
    const { author, calls } = await begin();
    expect(await author.bio!.load()).toBe('bio');
    expect(
      callsOf(calls, 'populate').map(args => args.slice(0, 2)),
      moved('ScalarReference.load()'),
    ).toEqual([[author, ['bio']]]);
    expect(callsOf(calls, 'populate')[0]![0], moved('ScalarReference.load()')).toBe(author);
  });

  test('wrap(e).populate(hints, options) is em.populate(e, hints, options)', async () => {
    const { book, calls } = await begin();
    await wrap(book).populate(['tags'], { filters: false });
    expect(callsOf(calls, 'populate'), moved('wrap(e).populate()')).toEqual([[book, ['tags'], { filters: false }]]);
  });

  test('load() of a loaded collection is em.populate(Set, hints, options)', async () => {
    const { book, calls } = await begin();
    await book.copies.load();
    calls.length = 0;
    await book.copies.load();
    await book.copies.load({ populate: ['marks'] });
    expect(
      callsOf(calls, 'populate').map(([items, hints]) => [items, hints]),
      moved('Collection.load()'),
    ).toEqual([
      [new Set(book.copies.getItems()), undefined],
      [new Set(book.copies.getItems()), ['marks']],
    ]);
  });

  test('init() of a collection alone is em.populate(owner, [relation], { refresh, schema, where, orderBy })', async () => {
    const { book, calls } = await begin();
    await book.copies.init({ where: { shelf: 'a' }, orderBy: { number: 'desc' } });
    expect(callsOf(calls, 'populate'), moved('Collection.init()')).toEqual([
      [
        book,
        ['copies'],
        expect.objectContaining({
          refresh: true,
          schema: undefined,
          where: { copies: { shelf: 'a' } },
          orderBy: { copies: { number: 'desc' } },
        }),
      ],
    ]);
  });

  test('loadCount() alone is em.count(Target, condition, options)', async () => {
    const { book, calls } = await begin();
    await book.copies.loadCount({ where: { shelf: 'a' } });
    const [[target, where]] = callsOf(calls, 'count') as [[unknown, unknown]];
    expect(target, moved('Collection.loadCount()')).toBe(book.copies.property.targetMeta!.class);
    expect(where, moved('Collection.createLoadCountCondition()')).toEqual({ shelf: 'a', book: 1 });
  });
});

describe('filters, schema and session are read through methods of the EntityManager', () => {
  test.each([
    ['find', (em: CoreEntityManager) => em.find(Book, {}), ['prepareOptions', 'applyFilters', 'tryFlush']],
    ['count', (em: CoreEntityManager) => em.count(Book, {}), ['prepareOptions', 'applyFilters', 'tryFlush']],
    [
      'populate',
      (em: CoreEntityManager) => em.populate(em.getReference(Author, 1), ['books']),
      ['prepareOptions', 'applyFilters'],
    ],
  ] as const)('by em.%s()', async (_name, ask, expected) => {
    const calls: Call[] = [];
    const orm = await openLibrary({ entityManager: spying(calls) });
    await ask(orm.em.fork());
    const names = new Set(calls.map(([name]) => name));
    expect(
      expected.filter(name => !names.has(name)),
      moved('these methods of EntityManager'),
    ).toEqual([]);
  });

  test('the session by em.getTransactionSessionContext()', async () => {
    const calls: Call[] = [];
    const orm = await openLibrary({ entityManager: spying(calls) });
    const em = orm.em.fork();
    await em.find(Tag, {});
    expect(
      callsOf(calls, 'getTransactionSessionContext').length,
      moved('em.getTransactionSessionContext()'),
    ).toBeGreaterThan(0);
  });
});

describe('transactions', () => {
  test('go through begin, commit and rollback of the EntityManager, and transactional() through those of its fork', async () => {
    const calls: Call[] = [];
    const orm = await openLibrary({ entityManager: spying(calls) });
    const em = orm.em.fork();
    await em.begin();
    await em.commit();
    await em.begin();
    await em.rollback();
    expect(em.getTransactionContext(), moved('em.getTransactionContext()')).toBe(undefined);
    calls.length = 0;
    const [context, outside] = await em.transactional(inner =>
      Promise.resolve([inner.getTransactionContext(), em.fork()]),
    );
    expect(context, moved('em.getTransactionContext()')).toBeDefined();
    expect((outside as CoreEntityManager).getTransactionContext(), moved('em.fork() in a transaction')).toBe(undefined);
    expect(
      calls.map(([name]) => name),
      moved('em.transactional()'),
    ).toContain('transactional');
  });

  test('find with disableIdentityMap makes its fork synchronously, and clears it', async () => {
    const calls: Call[] = [];
    const orm = await openLibrary({ entityManager: spying(calls) });
    const em = orm.em.fork();
    calls.length = 0;
    const found = em.find(Tag, {}, { disableIdentityMap: true });
    expect(calls.map(([name]) => name).slice(0, 2), moved('the fork of disableIdentityMap')).toEqual(['find', 'fork']);
    await found;
    expect(
      calls.map(([name]) => name),
      moved('the clear() of disableIdentityMap'),
    ).toContain('clear');
  });
});

describe('driver.count()', () => {
  interface CountingDriver {
    count(entityName: unknown, where: unknown, options?: object): Promise<number>;
    createQueryBuilder(...args: unknown[]): Record<string, unknown> & { getCount(): Promise<number> };
  }

  test('asks one QueryBuilder, made before it returns, for getCount()', async () => {
    const orm = await openLibrary({});
    const driver = orm.driver as unknown as CountingDriver;
    const events: string[] = [];
    const createQueryBuilder = driver.createQueryBuilder.bind(driver);
    let builder: Record<string, unknown> | undefined;
    driver.createQueryBuilder = (...args) => {
      const qb = createQueryBuilder(...args);
      events.push('createQueryBuilder');
      builder = qb;
      qb.getCount = () => {
        events.push('getCount');
        return Promise.resolve(42);
      };
      return qb;
    };
    const em = orm.em.fork();
    const counted = driver.count(Book.class, { tags: { name: 'one' } }, { em, filters: {} });
    events.push('returned');
    expect(await counted, moved('what driver.count() gives')).toBe(42);
    expect(events, moved('the QueryBuilder of driver.count()')).toEqual(['createQueryBuilder', 'returned', 'getCount']);
    for (const method of ['processPopulateHint', 'hasToManyJoins', 'select', 'groupBy', 'execute']) {
      expect(builder![method], moved(`QueryBuilder.${method}()`)).toBeTypeOf('function');
    }
    expect(builder, moved('QueryBuilder.alias, .mainAlias or .state')).toMatchObject({
      alias: expect.any(String) as string,
      mainAlias: { meta: { className: 'Book' } },
      state: { joins: expect.any(Object) as object },
    });
    expect(
      Object.values((builder!['state'] as { joins: Record<string, { alias: string; table: string }> }).joins).map(
        join => join.table,
      ),
      moved('QueryBuilder.state.joins'),
    ).toEqual(['book_tags', 'tag']);
  });

  test('em.count() hands its options, symbols and all, to it', async () => {
    const orm = await openLibrary({});
    const driver = orm.driver as unknown as CountingDriver;
    const mark = Symbol('mark');
    const seen: unknown[] = [];
    const count = driver.count.bind(driver);
    driver.count = (entityName, where, options) => {
      seen.push((options as Record<symbol, unknown>)[mark]);
      return count(entityName, where, options);
    };
    await orm.em.fork().count(Book, {}, { [mark]: 'given' } as object);
    expect(seen, moved('the options of em.count()')).toEqual(['given']);
  });
});

describe('hydration', () => {
  test('UnitOfWork.register(entity, data, { refresh }) is called through the instance, and replaces the snapshot', async () => {
    const orm = await openLibrary({});
    const em = orm.em.fork();
    const author = await em.findOneOrFail(Author, 1);
    const uow = em.getUnitOfWork();
    const seen: unknown[][] = [];
    const register = uow.register.bind(uow);
    uow.register = (entity, data, options) => {
      const before = helper(entity).__originalEntityData;
      const result = register(entity, data, options);
      seen.push([entity, options, helper(entity).__originalEntityData === data, before === data]);
      return result;
    };
    await em.find(Author, { id: 1 }, { refresh: true });
    expect(seen, moved('UnitOfWork.register()')).toEqual([
      [author, expect.objectContaining({ refresh: true }), true, false],
    ]);
    expect(helper(author).__originalEntityData, moved('__originalEntityData')).toMatchObject({ id: 1, name: 'Austen' });
  });

  test('a collection is filled through its hydrate(items, propagate, partial, readonly)', async () => {
    const orm = await openLibrary({});
    const em = orm.em.fork();
    const book = await em.findOneOrFail(Book, 1);
    const seen: unknown[][] = [];
    for (const collection of [book.copies, book.tags] as unknown as Collection<object>[]) {
      const hydrate = collection.hydrate.bind(collection);
      collection.hydrate = (...args: unknown[]) => {
        seen.push([(args[0] as unknown[]).length, ...args.slice(2)]);
        (hydrate as (...all: unknown[]) => void)(...args);
      };
    }
    await em.populate([book], ['copies', 'tags'], {
      populateHints: { copies: { limit: 1 }, tags: { limit: 1 } } as never,
    });
    expect(seen, moved('Collection.hydrate()')).toEqual([
      [1, true, true],
      [1, true, true],
    ]);
  });

  test('isInitialized() and validateModification() of a collection can be told by the instance', async () => {
    const orm = await openLibrary({});
    const em = orm.em.fork();
    const book = await em.findOneOrFail(Book, 1, { populate: ['copies'] });
    const collection = book.copies as unknown as Record<string, unknown>;
    using recorder = recordQueries(orm);
    collection['isInitialized'] = () => false;
    collection['hydrate'] = (...args: unknown[]) => {
      delete collection['isInitialized'];
      delete collection['hydrate'];
      (collection['hydrate'] as (...all: unknown[]) => void)(...args);
    };
    await em.populate([book], ['copies']);
    expect(recorder.sql, moved('Collection.isInitialized()')).toHaveLength(1);
    collection['validateModification'] = () => {
      throw new Error('read-only');
    };
    expect(() => book.copies.removeAll(), moved('Collection.validateModification()')).toThrow('read-only');
  });
});

test('what an entity knows of itself', async () => {
  const orm = await openLibrary({});
  const em = orm.em.fork();
  const [copy] = (await em.find('Copy' as never, { number: 1 } as never)) as [object];
  const known = helper(copy);
  expect(
    {
      em: known.__em === em,
      meta: known.__meta.className,
      managed: known.__managed,
      key: known.getSerializedPrimaryKey(),
      keys: known.__primaryKeys,
      hasKey: known.hasPrimaryKey(),
      condition: Utils.getPrimaryKeyHash(known.__meta.primaryKeys),
      values: Utils.getPrimaryKeyValues(copy, known.__meta as never, true) as unknown,
    },
    moved('helper(entity), or Utils.getPrimaryKey…'),
  ).toEqual({
    em: true,
    meta: 'Copy',
    managed: true,
    key: '1~~~1',
    keys: [1, 1],
    hasKey: true,
    condition: 'book~~~number',
    values: [1, 1],
  });
});

test('what a relation knows of itself', async () => {
  const orm = await openLibrary({});
  const relation = (entity: typeof Book | typeof Tag, name: string): EntityProperty =>
    (orm.getMetadata().get(entity.class).properties as Record<string, EntityProperty>)[name]!;
  expect(
    [relation(Book, 'copies'), relation(Book, 'tags'), relation(Tag, 'books')].map(it => [
      it.kind,
      it.mappedBy,
      it.inversedBy,
      it.targetMeta?.className,
    ]),
    moved('EntityProperty'),
  ).toEqual([
    ['1:m', 'book', undefined, 'Copy'],
    ['m:n', undefined, 'books', 'Tag'],
    ['m:n', 'tags', undefined, 'Book'],
  ]);
  expect(relation(Book, 'tags').pivotTable, moved('EntityProperty.pivotTable')).toBe('book_tags');
});
