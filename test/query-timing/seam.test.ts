import { type MikroORM as AnyOrm, Utils } from '@mikro-orm/core';
import { defineEntity, EntityManager, type MikroORM, p } from '@mikro-orm/postgresql';
import { Pool } from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { type OrmOptions, openOrm } from '../harness/orm.ts';
import { Author, Book, compiled, entities, kyselyOf, Library, Tag } from './fixtures/library.ts';

/*
 * What `packages/query-timing/src/seam.ts` and the files in `seam/` rely on in MikroORM, asked of MikroORM itself, without
 * the extension. A test that fails here after an update says which internal has moved.
 */

const moved = (internal: string): string => `MikroORM ${Utils.getORMVersion()} has moved ${internal}`;

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Internals = Record<string, Method>;

let url: string;
beforeAll(async () => {
  ({ url } = await openDatabase());
  await Library.on(url);
});
const open = (options: Partial<OrmOptions> = {}): Promise<MikroORM> =>
  openOrm({ url, entities, replicas: [{ name: 'one', clientUrl: url }], ...options });

/** Notes the arguments of calls of one of its methods. */
function spied(target: object, name: string): unknown[][] {
  const calls: unknown[][] = [];
  const original = (target as Internals)[name];
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

interface Connection {
  readonly options: Record<string, unknown>;
  readonly config: { get(name: string): unknown };
}
interface Driver {
  readonly connection: Connection;
  replicas: Connection[];
}
const driverOf = (orm: MikroORM): Driver => orm.driver as unknown as Driver;

describe('driver', () => {
  test('.connection and .replicas are what everything is sent on', async () => {
    const orm = await open();
    const { connection, replicas } = driverOf(orm);
    expect(replicas, moved('driver.replicas')).toHaveLength(1);
    const writes = spied(connection, 'executeQuery');
    const reads = spied(replicas[0]!, 'executeQuery');
    const em = orm.em.fork();
    await em.find(Tag, {});
    await em.count(Tag);
    await em.nativeUpdate(Tag, { id: 1 }, { name: 'old' });
    await em.transactional(inner => inner.find(Tag, {}));
    expect(reads.length, moved('driver.replicas')).toBe(2);
    expect(writes.length, moved('driver.connection')).toBe(2);
  });

  test('.replicas may be defined anew by an extension: it is read each time', async () => {
    let reads = 0;
    const orm = await open({
      extensions: [
        {
          register({ driver }: AnyOrm): void {
            let { replicas } = driver as unknown as Driver;
            Object.defineProperty(driver, 'replicas', {
              get() {
                reads++;
                return replicas;
              },
              set(all: Connection[]) {
                replicas = all;
              },
              configurable: true,
            });
          },
        },
      ],
    });
    reads = 0;
    await orm.em.fork().find(Tag, {});
    expect(reads, moved('driver.replicas')).toBeGreaterThan(0);
  });

  test('.close() is what ends an ORM, and begins a reconnect', async () => {
    const orm = await open();
    const closes = spied(orm.driver, 'close');
    await orm.reconnect();
    expect(closes, moved('driver.close() of orm.reconnect()')).toHaveLength(1);
    await orm.close(true);
    expect(closes, moved('driver.close() of orm.close()')).toHaveLength(2);
    expect(closes[1], moved('the argument of driver.close()')).toEqual([true]);
  });

  test('.createEntityManager() takes its class from the config, and says its own as the fallback', async () => {
    const orm = await open();
    let fallback: unknown;
    const config = {
      get: (name: string, value: unknown): unknown => {
        expect(name, moved('config.entityManager')).toBe('entityManager');
        fallback = value;
        return class {};
      },
    };
    (orm.driver.createEntityManager as Method).call({ config }, false);
    expect(fallback, moved('the fallback class of driver.createEntityManager()')).toBe(EntityManager);
  });

  test('the EntityManager of the config may be set in register(): orm.em and its forks are of it', async () => {
    class Own extends EntityManager {}
    const orm = await open({
      extensions: [{ register: ({ config }: AnyOrm) => config.set('entityManager', Own as never) }],
    });
    expect(orm.em, moved('config.entityManager')).toBeInstanceOf(Own);
    expect(orm.em.fork(), moved('em.fork()')).toBeInstanceOf(Own);
  });
});

describe('connection', () => {
  test('.executeQuery(query, send, context) is where each statement is handed over, with what it is called here', async () => {
    const orm = await open();
    const calls = spied(driverOf(orm).connection, 'executeQuery');
    const em = orm.em.fork();
    const options = { connectionType: 'write', logging: { label: 'own' } } as const;
    await em.find(Book, { id: { $in: [1, 2] }, title: "it's" }, options);
    await em.execute('select ?::int as one', [5], { connectionType: 'write' } as never);
    const contexts = calls.map(([query, send, context]) => ({
      query: typeof query,
      send: typeof send,
      context: context as Record<string, unknown>,
    }));
    expect(contexts, moved('connection.executeQuery()')).toMatchObject([
      {
        query: 'string',
        send: 'function',
        context: {
          query: 'select "b0".* from "book" as "b0" where "b0"."id" in (?, ?) and "b0"."title" = ?',
          params: [1, 2, "it's"],
          formatted: `select "b0".* from "book" as "b0" where "b0"."id" in (1, 2) and "b0"."title" = 'it''s'`,
          id: em.id,
          label: 'own',
        },
      },
      { context: { query: 'select ?::int as one', params: [5], formatted: 'select 5::int as one' } },
    ]);
    expect(contexts[1]!.context['id'], moved('the id of em.execute(): it may be told now')).toBeUndefined();
  });

  test('.createKysely() is called for each connect, and asks createKyselyDialect() for options', async () => {
    const orm = await open({ replicas: [] });
    const { connection } = driverOf(orm);
    const kysely = spied(connection, 'createKysely');
    const dialects = spied(connection, 'createKyselyDialect');
    await orm.em.fork().count(Tag);
    await orm.reconnect();
    await orm.em.fork().count(Tag);
    expect([kysely.length, dialects.length], moved('createKysely()')).toEqual([2, 2]);
  });

  test('options.driverOptions goes before that of the config; a function is called, and may make a dialect', async () => {
    const orm = await open({ replicas: [], driverOptions: { application_name: 'config' } });
    const { connection } = driverOf(orm);
    const made = (connection as unknown as Internals)['createKyselyDialect']!.call(connection, {
      application_name: 'function',
    });
    connection.options['driverOptions'] = () => made;
    const [row] = await orm.em.fork().execute<{ name: string }[]>("select current_setting('application_name') as name");
    expect(row, moved('driverOptions as a function')).toEqual({ name: 'function' });
  });

  test('options.onCreateConnection is read when the dialect is made, goes before that of the config, and is called first', async () => {
    const called: string[] = [];
    const hook = (name: string) => (physical: object) => {
      expect((physical as Internals)['executeQuery'], moved('what onCreateConnection is given')).toBeTypeOf('function');
      called.push(name);
      return Promise.resolve();
    };
    const orm = await open({
      replicas: [],
      onCreateConnection: hook('config') as never,
      onReserveConnection: hook('reserve') as never,
    });
    const { connection } = driverOf(orm);
    const create = (connection as unknown as Internals)['createKyselyDialect']!;
    Object.defineProperty(connection, 'createKyselyDialect', {
      value(this: Connection, ...args: unknown[]) {
        this.options['onCreateConnection'] = hook('options');
        const dialect = create.apply(this, args);
        this.options['onCreateConnection'] = undefined;
        return dialect;
      },
    });
    await orm.em.fork().count(Tag);
    expect(called, moved('onCreateConnection')).toEqual(['options', 'reserve']);
  });

  test('driverOptions of the config may be set in register(), and tells onPoolCreated of its pool', async () => {
    const pools: unknown[] = [];
    const orm = await open({
      replicas: [],
      extensions: [
        {
          register: ({ config }: AnyOrm) =>
            config.set('driverOptions', { onPoolCreated: (pool: unknown) => void pools.push(pool) } as never),
        },
      ],
    });
    const { connection } = driverOf(orm);
    connection.options['driverOptions'] = undefined;
    await orm.em.fork().count(Tag);
    expect(pools, moved('onPoolCreated')).toEqual([expect.any(Pool)]);
  });

  test('forgets its options when it is closed, but for its name', async () => {
    const orm = await open();
    const [replica] = driverOf(orm).replicas;
    await orm.em.fork().find(Tag, {});
    expect(replica!.options, moved('connection.options')).toMatchObject({
      name: 'one',
      host: new URL(url).hostname,
      port: Number(new URL(url).port),
    });
    await orm.close();
    expect(replica!.options, `${moved('Connection.close()')}: it may be simpler now`).toEqual({ name: 'one' });
  });

  test('.getNativeClient() is the pool of pg, with what a connection beside it needs, and what it tells of itself', async () => {
    const orm = await open({ pool: { max: 7 } });
    await orm.em.fork().execute('select 1', [], { connectionType: 'write' } as never);
    const { connection } = driverOf(orm);
    const native = (connection as unknown as Internals)['getNativeClient']!.call(connection);
    const { Client, options, totalCount, idleCount } = (await native) as {
      readonly Client: { readonly prototype: Internals };
      readonly options: object;
      readonly totalCount: number;
      readonly idleCount: number;
    };
    expect(options, moved("pg's pool.options")).toMatchObject({ max: 7 });
    expect([totalCount, idleCount], moved("pg's counts")).toEqual([1, 1]);
    for (const name of ['connect', 'query', 'end', 'ref', 'unref', 'setTypeParser']) {
      expect(Client.prototype[name], moved(`${name}() of pg's pool.Client`)).toBeTypeOf('function');
    }
  });
});

describe('Kysely', () => {
  /** What runs on the objects that `acquireConnection()` gives out. */
  async function sentBy(call: (em: EntityManager) => Promise<unknown>): Promise<string[]> {
    const orm = await open({ replicas: [] });
    const { connection } = driverOf(orm);
    const sent: string[] = [];
    const create = (connection as unknown as Internals)['createKyselyDialect']!;
    Object.defineProperty(connection, 'createKyselyDialect', {
      value(this: unknown, ...args: unknown[]) {
        const dialect = create.apply(this, args) as { createDriver(): Internals };
        const createDriver = dialect.createDriver.bind(dialect);
        dialect.createDriver = () => {
          const driver = createDriver();
          const acquire = driver['acquireConnection']!.bind(driver) as () => Promise<Internals>;
          const seen = new WeakSet();
          driver['acquireConnection'] = async () => {
            const physical = await acquire();
            if (!seen.has(physical)) {
              seen.add(physical);
              for (const name of ['executeQuery', 'streamQuery']) {
                const inner = physical[name]!.bind(physical);
                expect(inner, moved(`${name}() of Kysely's connections`)).toBeTypeOf('function');
                physical[name] = (...given) => {
                  sent.push((given[0] as { sql: string }).sql.split(' ', 2).join(' '));
                  return inner(...given);
                };
              }
            }
            return physical;
          };
          expect(driver['releaseConnection'], moved("Kysely's releaseConnection()")).toBeTypeOf('function');
          return driver;
        };
        return dialect;
      },
    });
    await call(orm.em.fork() as EntityManager);
    return sent;
  }

  test('everything passes executeQuery() or streamQuery() of its connections, transaction control as well', async () => {
    const sent = await sentBy(async em => {
      await em.transactional(async outer => {
        await outer.count(Tag);
        await outer.transactional(inner => inner.find(Tag, {}));
        await outer.transactional(() => Promise.reject(new Error('as planned'))).catch(() => undefined);
      });
      await em.transactional(() => Promise.reject(new Error('as planned'))).catch(() => undefined);
      for await (const each of em.stream(Tag)) void each;
      await kyselyOf(em).selectFrom('tag').selectAll().execute();
      await kyselyOf(em).executeQuery(compiled('show search_path'));
    });
    expect(sent, moved("what Kysely's connections are asked")).toEqual([
      'begin',
      'select count(*)',
      'savepoint "trx1"',
      'select "t0".*',
      'release "trx1"',
      'savepoint "trx1"',
      'rollback to',
      'commit',
      'begin',
      'rollback',
      'select "t0".*',
      'select *',
      'show search_path',
    ]);
  });

  test('a connection that is given out again is the same object', async () => {
    const sent = await sentBy(async em => {
      await em.count(Tag);
      await em.count(Tag);
    });
    // Wrapped once: twice would be four.
    expect(sent, moved("the identity of Kysely's connections")).toHaveLength(2);
  });
});

describe('EntityManager', () => {
  /** `name entity` of each call, the ones within others included. */
  async function calledBy(call: (em: EntityManager) => Promise<unknown>): Promise<string[]> {
    const calls: string[] = [];
    class Spy extends EntityManager {}
    for (const name of ['find', 'findOne', 'count'] as const) {
      const inner = EntityManager.prototype[name] as unknown as Method;
      Object.defineProperty(Spy.prototype, name, {
        value(this: unknown, entity: { meta?: { className: string } }, ...args: unknown[]) {
          calls.push(`${name} ${entity.meta?.className ?? (entity as unknown as { name: string }).name}`);
          return inner.call(this, entity, ...args);
        },
      });
    }
    const orm = await open({ entityManager: Spy as never });
    await call(orm.em.fork() as EntityManager);
    return calls;
  }

  test.each<[string, (em: EntityManager) => Promise<unknown>, string[]]>([
    ['findAll()', em => em.findAll(Tag), ['find Tag']],
    ['findOneOrFail()', em => em.findOneOrFail(Tag, 1), ['findOne Tag']],
    ['findAndCount()', em => em.findAndCount(Tag, {}), ['count Tag', 'find Tag']],
    ['ref.load()', em => em.getReference(Author, 1, { wrapped: true }).load(), ['findOne Author']],
    [
      'collection.init()',
      async em => await (await em.findOneOrFail(Author, 1)).books.init(),
      ['findOne Author', 'find Book'],
    ],
    [
      'collection.loadCount()',
      async em => await (await em.findOneOrFail(Author, 1)).books.loadCount(),
      ['findOne Author', 'count Book'],
    ],
    [
      'populate',
      em => em.find(Author, {}, { populate: ['books'], strategy: 'select-in' }),
      ['find Author', 'find Book'],
    ],
  ])('%s goes through find() and findOne() of the EntityManager', async (_, call, calls) => {
    expect((await calledBy(call)).toSorted(), moved('what makes entities')).toEqual(calls.toSorted());
  });

  test.each([
    'count',
    'countBy',
    'findAndCount',
    'findByCursor',
    'insert',
    'insertMany',
    'upsert',
    'upsertMany',
    'nativeUpdate',
    'nativeDelete',
    'lock',
    'refresh',
    'flush',
    'begin',
    'commit',
    'rollback',
    'transactional',
    'stream',
  ])('.%s() is there to be named after', name => {
    expect((EntityManager.prototype as unknown as Internals)[name], moved(`em.${name}()`)).toBeTypeOf('function');
  });

  test('.id tells forks apart', async () => {
    const orm = await open();
    const [one, other] = [orm.em.fork(), orm.em.fork()];
    expect(one.id, moved('em.id')).toBeTypeOf('number');
    expect(other.id, moved('em.id')).not.toBe(one.id);
  });
});

describe('metadata', () => {
  const Person = defineEntity({
    name: 'Person',
    tableName: 'people',
    indexes: [{ properties: ['lastName', 'firstName'], name: 'by_name' }],
    uniques: [{ properties: ['email'] }],
    properties: {
      id: p.integer().primary(),
      firstName: p.string(),
      lastName: p.string().index('by_last_name'),
      email: p.string(),
      secret: p.string().hidden(),
      mother: () => p.manyToOne(Person).ref().nullable(),
      children: () => p.oneToMany(Person).mappedBy('mother'),
      friends: () => p.manyToMany(Person),
    },
  });

  test('tells of tables, columns, what is hidden, relations and indexes', async () => {
    const orm = await openOrm({ url, entities: [Person] });
    const meta = orm.getMetadata().get(Person);
    const all = [...orm.getMetadata().getAll().values()];
    expect(meta, moved('EntityMetadata')).toMatchObject({ className: 'Person', tableName: 'people' });
    expect(
      meta.getPrimaryProps().map(({ fieldNames }) => fieldNames),
      moved('getPrimaryProps()'),
    ).toEqual([['id']]);
    expect(meta.properties.firstName.fieldNames, moved('prop.fieldNames')).toEqual(['first_name']);
    expect(meta.properties.secret.hidden, moved('prop.hidden')).toBe(true);
    const relations = Object.fromEntries(meta.relations.map(prop => [prop.name, prop]));
    expect(relations['mother'], moved('a to-one relation')).toMatchObject({
      kind: 'm:1',
      joinColumns: ['mother_id'],
      referencedColumnNames: ['id'],
      targetMeta: { className: 'Person' },
    });
    expect(relations['children'], moved('a to-many relation')).toMatchObject({ kind: '1:m', mappedBy: 'mother' });
    expect(relations['friends'], moved('a many-to-many relation')).toMatchObject({
      kind: 'm:n',
      owner: true,
      pivotTable: 'people_friends',
      joinColumns: ['people_1_id'],
      inverseJoinColumns: ['people_2_id'],
    });
    expect(
      all.filter(({ pivotTable }) => pivotTable).map(({ tableName }) => tableName),
      moved('meta.pivotTable'),
    ).toEqual(['people_friends']);
    expect(
      meta.indexes.map(({ name, properties }) => [name, properties]),
      moved('meta.indexes'),
    ).toContainEqual(['by_name', ['lastName', 'firstName']]);
    expect(meta.properties.lastName.index, moved('prop.index')).toBe('by_last_name');
    expect(
      meta.uniques.map(({ properties }) => properties),
      moved('meta.uniques'),
    ).toEqual([['email']]);
  });

  test('is none while extensions are registered', async () => {
    let known: unknown = 'not asked';
    await open({
      extensions: [
        {
          register(orm: AnyOrm): void {
            known = (orm.getMetadata as () => unknown).call(orm);
          },
        },
      ],
    });
    expect(known, moved('the order of register() and discovery')).toBeUndefined();
  });
});
