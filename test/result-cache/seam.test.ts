import { type MikroORM as AnyOrm, Utils } from '@mikro-orm/core';
import { defineEntity, EntityManager, type MikroORM, p } from '@mikro-orm/postgresql';
import { resultCache } from '@mikrokit/result-cache';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { type OrmOptions, openOrm } from '../harness/orm.ts';
import { recordQueries } from '../harness/recorder.ts';

/*
 * What `packages/result-cache/src/seam.ts` and the files in `seam/` rely on in MikroORM, asked of MikroORM itself, without
 * the extension where it can be. A test that fails here after an update says which internal has moved.
 */

const moved = (internal: string): string => `MikroORM ${Utils.getORMVersion()} has moved ${internal}`;

const Author = defineEntity({
  name: 'Author',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('author') },
});
const Book = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).ref() },
});
const entities = [Author, Book];

let url: string;
beforeAll(async () => {
  ({ url } = await openDatabase());
  const orm = await openOrm({ url, entities });
  await orm.schema.create();
  await orm.em.fork().execute(`insert into author (id, name) values (1, 'Ann'), (2, 'Ben')`);
  await orm.em.fork().execute(`insert into book (id, title, author_id) values (1, 'One', 1), (2, 'Two', 2)`);
});
const open = (options: Partial<OrmOptions> = {}): Promise<MikroORM> => openOrm({ url, entities, ...options });

type Method = (this: unknown, ...args: unknown[]) => unknown;
/** Notes the arguments of calls of one of its methods. */
function spied(target: object, name: string): unknown[][] {
  const calls: unknown[][] = [];
  const original = (target as Record<string, Method>)[name];
  expect(original, moved(name)).toBeTypeOf('function');
  Object.defineProperty(target, name, {
    configurable: true,
    writable: true,
    value(this: unknown, ...args: unknown[]): unknown {
      calls.push(args);
      return original!.apply(this, args);
    },
  });
  return calls;
}

describe('config.entityManager', () => {
  class Own extends EntityManager {
    shout(): string {
      return 'mine';
    }
  }

  test('is the class of forks, their forks and transactions', async () => {
    const orm = await open({ entityManager: Own });
    const fork = orm.em.fork();
    const inner = await fork.transactional(em => Promise.resolve(em));
    for (const em of [orm.em, fork, fork.fork(), inner]) {
      expect(em, moved('the class of em.fork()')).toBeInstanceOf(Own);
    }
  });

  test("without one in the config the extension's extends the driver's own", async () => {
    const orm = await open({ extensions: [resultCache()] });
    expect(orm.em, moved('the fallback class of driver.createEntityManager()')).toBeInstanceOf(EntityManager);
  });

  test('a class of the user is extended, and mixins compose in either order', async () => {
    const mixin = {
      register(orm: AnyOrm): void {
        const Base = (orm.config.get('entityManager') ?? EntityManager) as typeof EntityManager;
        orm.config.set(
          'entityManager',
          class Mixed extends Base {
            mixed = true;
          } as never,
        );
      },
    };
    for (const extensions of [
      [mixin, resultCache()],
      [resultCache(), mixin],
    ]) {
      const orm = await open({ entityManager: Own, extensions });
      const em = orm.em.fork() as Own & { mixed: boolean };
      expect([em.shout(), em.mixed], moved('config.entityManager')).toEqual(['mine', true]);
      await orm.em.fork().find(Author, {}, { cache: true });
      using recorder = recordQueries(orm);
      await orm.em.fork().find(Author, {}, { cache: true });
      expect(recorder.sql, moved('config.entityManager')).toEqual([]);
    }
  });
});

describe('em.prepareOptions(options)', () => {
  const prepared: { cache: unknown; logging: unknown }[] = [];
  class Spy extends EntityManager {}
  // It is declared as protected.
  const { prepareOptions } = EntityManager.prototype as unknown as Record<string, Method>;
  Object.defineProperty(Spy.prototype, 'prepareOptions', {
    value(this: unknown, options: { cache?: unknown }): unknown {
      const { cache } = options;
      const result = prepareOptions!.call(this, options) as { logging?: unknown };
      prepared.push({ cache, logging: result.logging });
      return result;
    },
  });
  let orm: MikroORM;
  beforeAll(async () => {
    orm = await open({ entityManager: Spy as never });
  });
  beforeEach(() => void (prepared.length = 0));

  test.each([
    ['find', (em: EntityManager) => em.find(Author, {}, { cache: 7 })],
    ['findOne', (em: EntityManager) => em.findOne(Author, 1, { cache: 7 })],
    ['count', (em: EntityManager) => em.count(Author, {}, { cache: 7 })],
    ['countBy', (em: EntityManager) => em.countBy(Author, 'name', { cache: 7 } as never)],
  ])('is called by %s() with its options', async (name, call) => {
    await call(orm.em.fork() as EntityManager);
    expect(
      prepared.map(({ cache }) => cache),
      moved(`em.prepareOptions() of em.${name}()`),
    ).toEqual([7]);
  });

  test('makes the logging object that reaches the driver, and what is populated', async () => {
    const finds = spied(orm.driver, 'find');
    const counts = spied(orm.driver, 'count');
    const em = orm.em.fork();
    await em.find(Author, {}, { cache: 7, populate: ['books'], strategy: 'select-in' });
    const [first] = prepared;
    expect(first?.logging, moved('the logger context of em.prepareOptions()')).toBeTypeOf('object');
    const reaching = finds.map(([, , options]) => (options as { logging: unknown }).logging);
    expect(reaching[0] === first?.logging, moved('the logger context of driver.find()')).toBe(true);
    expect(reaching, moved('driver.find() of a populated relation')).toHaveLength(2);
    await em.count(Author, {}, { cache: 7 });
    const last = (counts[0]?.[2] as { logging: unknown } | undefined)?.logging;
    expect(last === prepared.at(-1)?.logging, moved('the logger context of driver.count()')).toBe(true);
  });

  test("tryCache() and storeCache() are all there is of MikroORM's own cache", async () => {
    const own = await open({
      entityManager: class extends EntityManager {
        override tryCache(): Promise<undefined> {
          return Promise.resolve(undefined);
        }
        override storeCache(): Promise<void> {
          return Promise.resolve();
        }
      } as never,
    });
    const gets = spied(own.config.getResultCacheAdapter(), 'get');
    const sets = spied(own.config.getResultCacheAdapter(), 'set');
    const em = own.em.fork() as EntityManager;
    await em.find(Author, {}, { cache: 7 });
    await em.findOne(Author, 1, { cache: 7 });
    await em.count(Author, {}, { cache: 7 });
    await em.createQueryBuilder(Author).cache(7).execute();
    expect([gets, sets], moved('em.tryCache() or em.storeCache()')).toEqual([[], []]);
  });
});

describe('the driver', () => {
  test.each([
    ['find', 'find', (em: EntityManager) => em.find(Author, {})],
    ['findOne', 'find', (em: EntityManager) => em.findOne(Author, { name: 'Ann' })],
    ['count', 'count', (em: EntityManager) => em.count(Author, {})],
    ['findAndCount', 'count', (em: EntityManager) => em.findAndCount(Author, {})],
    ['loadItems', 'find', (em: EntityManager) => em.getReference(Book, 1, { wrapped: true }).load()],
  ])('%s() reads by driver.%s()', async (name, method, call) => {
    const orm = await open();
    const calls = spied(orm.driver, method);
    using recorder = recordQueries(orm);
    await call(orm.em.fork() as EntityManager);
    expect(calls.length, moved(`driver.${method}() of ${name}()`)).toBe(1);
    expect(recorder.sql.length, moved(`the statements of ${name}()`)).toBe(name === 'findAndCount' ? 2 : 1);
  });

  test.each(['find', 'count'] as const)(
    '%s() makes one QueryBuilder, with options.logging as its context',
    async method => {
      const orm = await open();
      const made = spied(orm.driver, 'createQueryBuilder');
      const logging = { label: 'seam' };
      const read = (orm.driver as unknown as Record<string, Method>)[method]!;
      await read.call(orm.driver, Author, {}, { logging });
      expect(made, moved(`driver.createQueryBuilder() of driver.${method}()`)).toHaveLength(1);
      expect(made[0]?.[4] === logging, moved('the fifth argument of driver.createQueryBuilder()')).toBe(true);
    },
  );

  test('a QueryBuilder asks getConnection() for the connection that it executes on', async () => {
    const orm = await open();
    const builder = (orm.em.fork() as EntityManager).createQueryBuilder(Author, 'a');
    const sent: unknown[] = [];
    const answers = {
      execute: (sql: string, params: unknown[], method: string) => {
        sent.push([sql, params, method]);
        return Promise.resolve([{ id: 9, name: 'Zoe' }]);
      },
    };
    Object.assign(builder, { getConnection: () => answers });
    expect(await builder.where({ id: 9 }).execute(), moved('qb.getConnection()')).toEqual([{ id: 9, name: 'Zoe' }]);
    expect(sent, moved('connection.execute() of a QueryBuilder')).toEqual([
      ['select "a".* from "author" as "a" where "a"."id" = ?', [9], 'all'],
    ]);
  });

  test('getCount() of a select is that of a clone', async () => {
    const orm = await open();
    const builder = (orm.em.fork() as EntityManager).createQueryBuilder(Author, 'a').select('*');
    const clones = spied(builder, 'clone');
    await builder.getCount();
    expect(clones, moved('qb.clone() of qb.getCount()')).toHaveLength(1);
  });

  test("what getConnection('write') gives is what writes, in a transaction and without", async () => {
    const orm = await open();
    expect(orm.driver.getConnection('write') === orm.driver.getConnection(), moved('driver.getConnection()')).toBe(
      true,
    );
    expect(orm.driver.getConnection('write') === orm.em.getConnection('write'), moved('em.getConnection()')).toBe(true);
  });
});

describe('connections', () => {
  interface Physical {
    executeQuery(compiled: { sql: string }, ...rest: unknown[]): Promise<unknown>;
  }
  interface KyselyDriver {
    acquireConnection(...args: unknown[]): Promise<Physical>;
  }
  interface Dialect {
    createDriver(): KyselyDriver;
  }

  /** All that physical connections are given, and these. */
  function watching(dialect: Dialect, sent: string[], physical: Set<object>): Dialect {
    const createDriver = dialect.createDriver.bind(dialect);
    dialect.createDriver = () => {
      const driver = createDriver();
      const acquire = driver.acquireConnection.bind(driver);
      driver.acquireConnection = async (...args) => {
        const connection = await acquire(...args);
        if (!physical.has(connection)) {
          physical.add(connection);
          const execute = connection.executeQuery.bind(connection);
          connection.executeQuery = (compiled, ...rest) => {
            sent.push(compiled.sql);
            return execute(compiled, ...rest);
          };
        }
        return connection;
      };
      return driver;
    };
    return dialect;
  }

  async function openWatched(): Promise<{ orm: MikroORM; sent: string[]; physical: Set<object>; made: () => number }> {
    const sent: string[] = [];
    const physical = new Set<object>();
    let made = 0;
    const orm = await open({
      extensions: [
        {
          register(of: AnyOrm): void {
            const connection = of.driver.getConnection('write') as unknown as {
              createKyselyDialect(...args: unknown[]): Dialect;
            };
            expect(connection.createKyselyDialect, moved('connection.createKyselyDialect()')).toBeTypeOf('function');
            const create = connection.createKyselyDialect.bind(connection);
            connection.createKyselyDialect = (...args) => {
              made += 1;
              return watching(create(...args), sent, physical);
            };
          },
        },
      ],
    });
    return { orm, sent, physical, made: () => made };
  }

  test('all statements pass executeQuery() of what acquireConnection() gives', async () => {
    const { orm, sent } = await openWatched();
    const em = orm.em.fork() as EntityManager;
    await em.find(Author, { id: 1 });
    await em.execute('select 1');
    await em.getKysely<{ author: { id: number } }>().selectFrom('author').select('id').execute();
    await em.transactional(async outer => {
      await outer.execute('select 2');
      await outer.transactional(inner => inner.execute('select 3'));
    });
    expect(sent, moved("what a Kysely driver's connections execute")).toEqual([
      expect.stringContaining('from "author" as "a0"'),
      'select 1',
      'select "id" from "author"',
      'begin',
      'select 2',
      expect.stringMatching(/^savepoint /),
      'select 3',
      expect.stringMatching(/^release /),
      'commit',
    ]);
  });

  test('a reconnect makes its dialect by the same method', async () => {
    const { orm, sent, made } = await openWatched();
    await orm.em.fork().execute('select 1');
    await orm.reconnect();
    sent.length = 0;
    await orm.em.fork().execute('select 2');
    expect([made(), sent], moved('connection.createKyselyDialect() of a reconnect')).toEqual([2, ['select 2']]);
  });

  test("a transaction's context provides its physical connection", async () => {
    const { orm, physical } = await openWatched();
    await orm.em.fork().transactional(async em => {
      const context = em.getTransactionContext<{
        getExecutor(): { provideConnection(use: Method): Promise<object> };
      }>()!;
      const connection = await context.getExecutor().provideConnection(one => Promise.resolve(one));
      expect(physical.has(connection), moved('the executor of a transaction')).toBe(true);
      await em.transactional(async inner => {
        const nested = inner.getTransactionContext<typeof context>()!;
        const same = await nested.getExecutor().provideConnection(one => Promise.resolve(one));
        expect(same === connection, moved('the executor of a nested transaction')).toBe(true);
      });
    });
  });

  describe.each([
    ['a dialect', (made: () => object) => made()],
    ['a function that makes one', (made: () => object) => made],
  ])('%s in driverOptions', (_what, form) => {
    test('is watched, after a reconnect too', async () => {
      const donor = await open();
      const connection = donor.driver.getConnection('write') as unknown as { createKyselyDialect(o: object): object };
      const dialect = (): object => connection.createKyselyDialect({});
      const orm = await open({ driverOptions: form(dialect) as never, extensions: [resultCache()] });
      for (let n = 0; n < 2; n += 1) {
        const title = async () => (await orm.em.fork().findOneOrFail(Book, 1, { cache: true })).title;
        await title();
        await orm.em.fork().nativeUpdate(Book, 1, { title: `Number ${n}` });
        expect(await title(), moved('driverOptions')).toBe(`Number ${n}`);
        if (form(dialect) === dialect) {
          await orm.reconnect();
        }
      }
    });
  });
});

describe('entities and config', () => {
  test('unknown options of an entity stay in its metadata', async () => {
    const Town = defineEntity({ name: 'Town', resultCache: { ttl: 5 }, properties: { id: p.integer().primary() } });
    const orm = await openOrm({ entities: [Town] });
    expect(orm.getMetadata().get(Town).resultCache, moved('unknown options in EntityMetadata')).toEqual({ ttl: 5 });
  });

  test('discovery.afterDiscovered() is called with the metadata storage', async () => {
    const seen: unknown[] = [];
    const register = (of: AnyOrm): void => {
      const discovery = of.config.get('discovery');
      of.config.set('discovery', {
        ...discovery,
        afterDiscovered: storage => void seen.push([...storage.getAll().values()].map(meta => meta.className)),
      });
    };
    await open({ extensions: [{ register }] });
    expect(seen, moved('discovery.afterDiscovered()')).toEqual([expect.arrayContaining(['Author', 'Book'])]);
  });

  test('resultCache.expiration is 1000 unless it is set', async () => {
    const orm = await open();
    expect(orm.config.get('resultCache')['expiration'], moved('the default of resultCache.expiration')).toBe(1_000);
  });

  test('an EntityManager has the config of its ORM, and a session context', async () => {
    const orm = await open();
    expect((orm.em.fork() as EntityManager).config === orm.config, moved('em.config')).toBe(true);
    expect(
      (orm.em.fork() as unknown as Record<string, unknown>)['getSessionContext'],
      moved('em.getSessionContext()'),
    ).toBeTypeOf('function');
  });
});
